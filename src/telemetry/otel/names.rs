//! Names of the `GenAI` semantic conventions (open-telemetry/semantic-conventions-genai, in development, as of
//! schema 1.42) and our own beside them: one place, since the conventions still move.

/// `chat`, `invoke_workflow`.
pub(super) const OPERATION: &str = "gen_ai.operation.name";
/// Who answers, as the convention names well-known ones.
pub(super) const PROVIDER: &str = "gen_ai.provider.name";
/// The model that was asked for.
pub(super) const REQUEST_MODEL: &str = "gen_ai.request.model";
/// Whether the answer was streamed.
pub(super) const REQUEST_STREAM: &str = "gen_ai.request.stream";
/// Seconds to the first chunk.
pub(super) const FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
/// Tokens of the prompt, where they were reported.
pub(super) const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// Tokens of the answer, where they were reported.
pub(super) const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// Messages, by opt-in alone.
pub(super) const INPUT_MESSAGES: &str = "gen_ai.input.messages";
/// Messages, by opt-in alone.
pub(super) const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
/// A tool that was used.
pub(super) const TOOL: &str = "gen_ai.tool.name";
/// The workflow.
pub(super) const WORKFLOW: &str = "gen_ai.workflow.name";
/// What an endpoint is: `input`, `output`.
pub(super) const TOKEN_TYPE: &str = "gen_ai.token.type";
/// A judge's score.
pub(super) const EVALUATION: &str = "gen_ai.evaluation.result";
/// Which criterion.
pub(super) const EVALUATION_NAME: &str = "gen_ai.evaluation.name";
/// The score.
pub(super) const EVALUATION_SCORE: &str = "gen_ai.evaluation.score.value";
/// Of low cardinality.
pub(super) const ERROR_TYPE: &str = "error.type";
/// The endpoint.
pub(super) const SERVER_ADDRESS: &str = "server.address";
/// The endpoint.
pub(super) const SERVER_PORT: &str = "server.port";

/// Seconds of a call.
pub(super) const OPERATION_DURATION: &str = "gen_ai.client.operation.duration";
/// Tokens of a call.
pub(super) const TOKEN_USAGE: &str = "gen_ai.client.token.usage";
/// Seconds to the first chunk of a call.
pub(super) const TIME_TO_FIRST_CHUNK: &str = "gen_ai.client.operation.time_to_first_chunk";
/// Seconds of a run.
pub(super) const WORKFLOW_DURATION: &str = "gen_ai.workflow.duration";
/// Dollars of runs.
pub(super) const COST: &str = "banditop.run.cost";
/// Rewards by arm.
pub(super) const REWARD: &str = "banditop.reward";

/// Bounds of seconds that the conventions ask for.
pub(super) const SECONDS: &[f64] = crate::domain::tally::SECONDS;
/// Bounds of tokens that the conventions ask for.
pub(super) const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
