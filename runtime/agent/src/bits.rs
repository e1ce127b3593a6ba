//! A set of small numbers.

use serde::{Deserialize, Serialize};

/// A set of numbers below a bound that both ends know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// An empty set of numbers below `len`.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)])
    }

    /// Tells whether a number is in it.
    #[must_use]
    pub fn has(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Puts a number in. One beyond the bound is left out.
    pub fn insert(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    /// Takes a number out.
    pub fn remove(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word &= !(1 << (at % 64));
        }
    }

    /// How many numbers are in it.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Tells whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The first number that is in both.
    #[must_use]
    pub fn first_common(&self, other: &Self) -> Option<usize> {
        let common = |(at, (one, two)): (usize, (&u64, &u64))| {
            let both = one & two;
            (both != 0).then(|| at * 64 + both.trailing_zeros() as usize)
        };
        self.0.iter().zip(&other.0).enumerate().find_map(common)
    }

    /// The numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let bits = |(at, word): (usize, &u64)| {
            let word = *word;
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at * 64 + bit)
        };
        self.0.iter().enumerate().flat_map(bits)
    }
}

impl FromIterator<bool> for Bits {
    fn from_iter<I: IntoIterator<Item = bool>>(marks: I) -> Self {
        let mut words = Vec::new();
        for (at, mark) in marks.into_iter().enumerate() {
            if at % 64 == 0 {
                words.push(0);
            }
            if let Some(word) = words.last_mut() {
                *word |= u64::from(mark) << (at % 64);
            }
        }
        Self(words)
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;

    #[test]
    fn is_a_set() {
        let mut bits = Bits::new(130);
        for at in [3, 64, 129, 400] {
            bits.insert(at);
        }
        bits.remove(64);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [3, 129]);
        assert_eq!((bits.count(), bits.is_empty(), bits.has(129), bits.has(400)), (2, false, true, false));
        let other: Bits = (0..130).map(|at| at > 100).collect();
        assert_eq!(bits.first_common(&other), Some(129));
    }
}
