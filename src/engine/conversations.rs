//! Conversations that went on before a start: which arm answered them stands in the records of runs, so that a
//! restart, or one `ask` after another, goes on with them. It reads records and keeps nothing itself.

use super::parts::EngineParts;
use crate::domain::ids::RunId;
use crate::domain::record::RunRecord;
use crate::domain::store::StoreError;

/// Records read at once.
const PAGE: usize = 500;
/// Records looked at; a conversation answered before them begins anew.
const MOST: usize = 10_000;

/// Has the race take in conversations, of `newest` (newest first) and of the records before them, as long as those
/// are young enough and the traffic has conversations at all: none in a page of it, and the reading ends.
pub(super) async fn recall(parts: &EngineParts, newest: &[RunRecord]) -> Result<(), StoreError> {
    let (mut goes_on, mut oldest) = take_in(parts, newest);
    let mut looked_at = newest.len();
    while goes_on && looked_at < MOST {
        let page = parts.store.runs_before(oldest, PAGE).await?;
        (goes_on, oldest) = take_in(parts, &page);
        goes_on &= page.len() == PAGE;
        looked_at += page.len();
    }
    Ok(())
}

/// Whether the records before these are worth reading, and before which they are.
fn take_in(parts: &EngineParts, records: &[RunRecord]) -> (bool, Option<RunId>) {
    let is_young = records.iter().all(|record| parts.race.recall_conversation(record));
    let converses = records.iter().any(|record| record.policies.session.is_some());
    (is_young && converses, records.last().map(|record| record.run_id))
}
