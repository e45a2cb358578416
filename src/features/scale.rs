//! The statistics of the built-in encoder's slots, fixed for good: mean and standard deviation over this
//! project's own prompts (`assets/prompts.toml` and `tests/fixtures/intents.txt`). Made by the ignored test
//! `print_statistics` in `hashed.rs`; another corpus needs another version of the encoder.

use super::projection::MOST_SLOTS;

#[rustfmt::skip]
pub(super) const MEAN: [f64; MOST_SLOTS] = [
    0.2401, 0.3172, -0.2312, -0.0512, -0.3039, -0.1465, -0.5954, -0.0828,
    -0.2702, -0.0902, 0.0341, -0.0261, -0.1733, 0.2519, 0.0063, 0.1052,
    -0.1483, 0.0126, -0.0750, 0.3500, 0.0871, 0.0391, -0.3802, -0.2773,
    0.4153, 0.5149, -0.1066, 0.4796, -0.1949, -0.0551, 0.0314, 0.0970,
];

#[rustfmt::skip]
pub(super) const SD: [f64; MOST_SLOTS] = [
    1.0223, 0.9509, 0.9434, 0.9131, 0.9436, 1.0016, 0.9691, 0.9837,
    0.9247, 0.8959, 0.9660, 0.9919, 0.9303, 0.9954, 0.9528, 0.9654,
    0.8766, 1.0044, 0.9257, 0.9871, 0.9820, 0.9621, 1.0392, 0.9989,
    1.0038, 1.0248, 0.9211, 0.9566, 0.9874, 0.9057, 1.0090, 0.9906,
];
