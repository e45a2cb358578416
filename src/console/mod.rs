//! The terminal console: model, update, views, widgets, themes.
