//! One file's bytes: what a program sees, what the platter holds, and what may or may not have got there.

use std::collections::BTreeMap;

use rand::Rng;

/// What a disk writes as a whole or not at all.
pub(crate) const SECTOR_BYTES: usize = 512;

/// What a power cut may leave of a file that was `before` when it was last synced and `after` when the power failed. As
/// often as not the disk had written in order, and then up to somewhere.
pub fn torn(before: &[u8], after: &[u8], rng: &mut impl Rng) -> Vec<u8> {
    if rng.random_bool(0.5) {
        let same = before.iter().zip(after).take_while(|(before, after)| before == after).count();
        let written = rng.random_range(same..=after.len());
        let kept = before.get(written..).unwrap_or_default();
        return [&after[..written], kept].concat();
    }
    let mut inode = Inode::default();
    inode.set_durable(before.to_vec());
    inode.rewrite(after);
    inode.power_cut(rng);
    inode.durable
}

#[derive(Debug, Default)]
pub(crate) struct Inode {
    /// What reads see.
    pub volatile: Vec<u8>,
    /// What is certain to survive.
    pub durable: Vec<u8>,
    /// Every content that a sector had since it was last synced, oldest first.
    dirty: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Every length that the file had since it was last synced.
    sizes: Vec<usize>,
}

impl Inode {
    pub(crate) fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if end > self.volatile.len() {
            self.volatile.resize(end, 0);
        }
        self.volatile[offset..end].copy_from_slice(bytes);
        if end > self.durable.len() {
            self.sizes.push(self.volatile.len());
        }
        self.touch(offset, end);
    }

    pub(crate) fn resize(&mut self, size: usize) {
        let (from, to) = (size.min(self.volatile.len()), size.max(self.volatile.len()));
        self.volatile.resize(size, 0);
        self.sizes.push(size);
        self.touch(from, to);
    }

    fn touch(&mut self, from: usize, to: usize) {
        if from == to {
            return;
        }
        for sector in from / SECTOR_BYTES..=(to - 1) / SECTOR_BYTES {
            let content = sector_of(&self.volatile, sector).to_vec();
            self.dirty.entry(sector).or_default().push(content);
        }
    }

    pub(crate) fn sync(&mut self) {
        if !self.sizes.is_empty() {
            self.durable.resize(self.volatile.len(), 0);
            self.sizes.clear();
        }
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            if let Some(content) = versions.last() {
                set_sector(&mut self.durable, sector, content);
            }
        }
    }

    /// What Linux does: some pages reach the disk, the others are clean from now on all the same.
    pub(crate) fn fail_sync(&mut self, rng: &mut impl Rng) {
        if rng.random_bool(0.5) {
            self.sizes.clear();
        } else if !self.sizes.is_empty() {
            self.durable.resize(self.volatile.len(), 0);
            self.sizes.clear();
        }
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            if let (true, Some(content)) = (rng.random_bool(0.5), versions.last()) {
                set_sector(&mut self.durable, sector, content);
            }
        }
    }

    pub(crate) fn power_cut(&mut self, rng: &mut impl Rng) {
        let sizes = std::mem::take(&mut self.sizes);
        if !sizes.is_empty() {
            let all = sizes.iter().copied().chain([self.durable.len()]);
            let (least, most) = (all.clone().min().unwrap_or(0), all.max().unwrap_or(0));
            let size = match rng.random_range(0..4) {
                0 => self.durable.len(),
                1 => rng.random_range(least..=most),
                _ => sizes[rng.random_range(0..sizes.len())],
            };
            self.durable.resize(size, 0);
        }
        let survival = [0.0, 0.2, 0.5, 0.8, 1.0][rng.random_range(0..5)];
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            if rng.random_bool(survival) {
                // Mostly the latest, for a cache writes it last.
                let version =
                    if rng.random_bool(0.7) { versions.len() - 1 } else { rng.random_range(0..versions.len()) };
                set_sector(&mut self.durable, sector, &versions[version]);
            }
        }
        self.volatile.clone_from(&self.durable);
    }

    /// What reads see from now on, written since the last sync by whatever steps.
    pub(crate) fn rewrite(&mut self, bytes: &[u8]) {
        if bytes != self.volatile {
            self.resize(bytes.len());
            self.write(bytes, 0);
        }
    }

    pub(crate) fn set_durable(&mut self, bytes: Vec<u8>) {
        *self = Self { volatile: bytes.clone(), durable: bytes, ..Self::default() };
    }

    pub(crate) fn flip_bit(&mut self, bit: usize) {
        for bytes in [&mut self.volatile, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }
}

fn sector_of(bytes: &[u8], sector: usize) -> &[u8] {
    let start = (sector * SECTOR_BYTES).min(bytes.len());
    let end = (start + SECTOR_BYTES).min(bytes.len());
    &bytes[start..end]
}

/// Where the content is shorter than the file goes on, the rest of the sector is zeros, as after a cut and a growth.
fn set_sector(bytes: &mut [u8], sector: usize, content: &[u8]) {
    let start = (sector * SECTOR_BYTES).min(bytes.len());
    let end = (start + SECTOR_BYTES).min(bytes.len());
    let place = &mut bytes[start..end];
    let kept = content.len().min(place.len());
    place[..kept].copy_from_slice(&content[..kept]);
    place[kept..].fill(0);
}
