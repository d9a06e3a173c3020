//! A set of row numbers of one chunk: shared with snapshots, copied when it changes.

use std::sync::Arc;

#[derive(Debug, Clone, Default)]
pub(crate) struct RowSet {
    /// Absent while the set is empty, which is the rule.
    words: Option<Arc<[u64]>>,
    count: u32,
}

impl RowSet {
    pub(crate) fn contains(&self, row: usize) -> bool {
        self.words.as_ref().is_some_and(|words| words[row / 64] >> (row % 64) & 1 == 1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.count as usize
    }

    /// `chunk_rows` is the length of the chunk that the set speaks of.
    pub(crate) fn insert(&mut self, row: usize, chunk_rows: usize) {
        let words = self.words.get_or_insert_with(|| vec![0; chunk_rows.div_ceil(64)].into());
        if words[row / 64] >> (row % 64) & 1 == 0 {
            Arc::make_mut(words)[row / 64] |= 1 << (row % 64);
            self.count += 1;
        }
    }

    pub(crate) fn remove(&mut self, row: usize) {
        if self.contains(row) {
            let words = self.words.as_mut().expect("a set that contains a row has words");
            Arc::make_mut(words)[row / 64] &= !(1 << (row % 64));
            self.count -= 1;
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.words.as_ref().map_or(0, |words| std::mem::size_of_val(&words[..]))
    }

    /// Whether both are the same memory, so that neither changed since one was cloned from the other.
    pub(crate) fn is_unchanged(&self, other: &RowSet) -> bool {
        match (&self.words, &other.words) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut set = RowSet::default();
        set.insert(3, 70);
        set.insert(69, 70);
        set.insert(69, 70);
        let before = set.clone();
        assert!(set.is_unchanged(&before));
        set.remove(3);
        assert!(!set.is_unchanged(&before));
        assert_eq!((set.len(), before.len()), (1, 2));
        assert!(before.contains(3) && !set.contains(3) && set.contains(69));
        assert_eq!(set.bytes(), 16);
    }
}
