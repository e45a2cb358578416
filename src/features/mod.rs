//! A prompt as numbers.
