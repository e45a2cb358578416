//! What readers see: the backend, and over it the writes that are not safely on it. While all is well
//! that is the last fraction of a second; while the disk is out of order it is everything since, and
//! the backend may be missing altogether.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use super::backend::{Backend, Fault, Read, Visit};
use super::codec::{Op, kind, split_key};

/// The most bytes of writes that are held while they cannot be written. Beyond, the records of the
/// oldest runs among them are given up; commands never are, and are few.
const MOST_HELD: usize = 16 << 20;

/// Held writes in the order of a scan.
type Over<'a> = Box<dyn Iterator<Item = (&'a Vec<u8>, &'a Option<Vec<u8>>)> + 'a>;

/// A backend and the writes over it.
#[derive(Clone, Default)]
pub(super) struct View {
    /// Absent while it cannot be reached.
    pub(super) base: Option<Arc<dyn Backend>>,
    held: Arc<BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
    held_bytes: usize,
}

impl View {
    /// Everything on `base`.
    pub(super) fn over(base: Arc<dyn Backend>) -> Self {
        Self { base: Some(base), ..Self::default() }
    }

    /// Holds `ops`, until [`Self::let_go`].
    pub(super) fn hold(&mut self, ops: &[Op]) {
        let held = Arc::make_mut(&mut self.held);
        for Op { key, value } in ops {
            let size = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
            self.held_bytes += size(value);
            self.held_bytes -= held.insert(key.clone(), value.clone()).as_ref().map_or(0, size);
        }
        while self.held_bytes > MOST_HELD {
            let Some(run) = oldest_run(held) else { break };
            let pieces: Vec<Vec<u8>> = held.range(run.clone()..).map(|(key, _)| key.clone()).collect();
            for piece in pieces.into_iter().take_while(|key| key.starts_with(&run)) {
                self.held_bytes -= held.remove(&piece).flatten().map_or(0, |value| value.len());
            }
        }
    }

    /// What is held, to be written.
    pub(super) fn held(&self) -> Vec<Op> {
        self.held.iter().map(|(key, value)| Op { key: key.clone(), value: value.clone() }).collect()
    }

    /// Nothing is held any more: it is safely on the backend.
    pub(super) fn let_go(&mut self) {
        if !self.held.is_empty() {
            self.held = Arc::default();
            self.held_bytes = 0;
        }
    }
}

/// The key of the oldest run that has a held value.
fn oldest_run(held: &BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Option<Vec<u8>> {
    let mut runs = held.range(vec![kind::RUN]..vec![kind::RUN + 1]).filter(|(_, value)| value.is_some());
    let (key, _) = runs.next()?;
    Some(split_key(key)?.0.to_vec())
}

impl Read for View {
    fn scan(&self, from: &[u8], to: &[u8], newest_first: bool, visit: Visit<'_>) -> Result<(), Fault> {
        let range = self.held.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
        let mut over: Over<'_> = if newest_first { Box::new(range.rev()) } else { Box::new(range) };
        let mut next = over.next();
        let mut stopped = false;
        if let Some(base) = &self.base {
            base.scan(from, to, newest_first, &mut |key, value| {
                let comes_first = |held: &[u8]| if newest_first { held > key } else { held < key };
                while let Some((held, write)) = next.filter(|(held, _)| comes_first(held)) {
                    next = over.next();
                    if visit_held(held, write.as_deref(), visit)?.is_break() {
                        stopped = true;
                        return Ok(ControlFlow::Break(()));
                    }
                }
                let flow = match next.filter(|(held, _)| held.as_slice() == key) {
                    Some((held, write)) => {
                        next = over.next();
                        visit_held(held, write.as_deref(), visit)?
                    }
                    None => visit(key, value)?,
                };
                stopped = flow.is_break();
                Ok(flow)
            })?;
        }
        while let Some((held, write)) = next.filter(|_| !stopped) {
            next = over.next();
            stopped = visit_held(held, write.as_deref(), visit)?.is_break();
        }
        Ok(())
    }
}

/// A held deletion hides; a held value is visited.
fn visit_held(key: &[u8], value: Option<&[u8]>, visit: Visit<'_>) -> Result<ControlFlow<()>, Fault> {
    value.map_or(Ok(ControlFlow::Continue(())), |value| visit(key, value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::backend::MemoryBackend;
    use super::*;

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = (0u8..12, prop::option::of(0u8..9));
        let op = op.prop_map(|(key, value)| Op { key: vec![key], value: value.map(|v| vec![v]) });
        prop::collection::vec(op, 0..12)
    }

    fn seen(read: &dyn Read, newest_first: bool, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut seen = Vec::new();
        let mut visit = |key: &[u8], value: &[u8]| {
            seen.push((key.to_vec(), value.to_vec()));
            Ok(if seen.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        };
        read.scan(&[2], &[10], newest_first, &mut visit).unwrap();
        seen
    }

    proptest! {
        #[test]
        fn held_writes_look_like_written_ones(below in ops(), above in ops(), newest_first: bool, limit in 1usize..9) {
            let (base, all) = (MemoryBackend::default(), MemoryBackend::default());
            base.write(&below).unwrap();
            all.write(&below).unwrap();
            all.write(&above).unwrap();
            let mut view = View::over(Arc::new(base));
            view.hold(&above);
            prop_assert_eq!(seen(&view, newest_first, limit), seen(&all, newest_first, limit));
        }
    }

    #[test]
    fn what_is_held_is_bounded_by_giving_up_old_runs() {
        let mut view = View::default();
        let put = |key: Vec<u8>| Op { key, value: Some(vec![0; 1 << 20]) };
        view.hold(&[put(b"L1".to_vec())]);
        for run in 0..40 {
            view.hold(&[put(vec![kind::RUN, run, 0, 0]), put(vec![kind::RUN, run, 0, 1])]);
        }
        assert!(view.held_bytes <= MOST_HELD);
        let keys: Vec<_> = view.held().into_iter().map(|op| op.key).collect();
        assert!(keys.contains(&b"L1".to_vec()) && keys.contains(&vec![kind::RUN, 39, 0, 1]));
        assert!(!keys.iter().any(|key| key.starts_with(&[kind::RUN, 0])));
    }
}
