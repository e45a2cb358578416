//! Terms, references and the reward policy.
