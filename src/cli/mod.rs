//! Arguments, subcommands and the composition root.
