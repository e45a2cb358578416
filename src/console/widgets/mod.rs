//! The drawing vocabulary: a clipped canvas and small figures on it. Nothing in here knows the engine
//! or the model; everything takes numbers and draws cells. A widget without room draws nothing.

pub(crate) mod canvas;
pub(crate) mod figure;
pub(crate) mod number;
pub(crate) mod plot;
pub(crate) mod segments;
pub(crate) mod wrap;

pub(crate) use canvas::Canvas;
