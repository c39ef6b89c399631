//! [`Repeated`]: a list of values of which most are equal to one before.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// A list in which equal values are kept once.
#[derive(Debug, Clone)]
pub(crate) struct Repeated<T> {
    /// For each place in the list, the number of its value.
    places: Vec<u32>,
    values: Vec<Arc<T>>,
    numbers: HashMap<Arc<T>, u32>,
}

impl<T> Default for Repeated<T> {
    fn default() -> Repeated<T> {
        Repeated { places: vec![], values: vec![], numbers: HashMap::new() }
    }
}

impl<T: Eq + Hash> Repeated<T> {
    /// Adds a value at the end.
    pub(crate) fn push(&mut self, value: T) {
        let number = self.numbers.get(&value).copied().unwrap_or_else(|| {
            // A list of paths; memory ends before there are that many.
            let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
            let value = Arc::new(value);
            self.values.push(Arc::clone(&value));
            self.numbers.insert(value, number);
            number
        });
        self.places.push(number);
    }

    /// The value at `place`, which is one that was pushed.
    pub(crate) fn get(&self, place: usize) -> &T {
        &self.values[self.places[place] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_stand_where_they_were_put() {
        let mut list = Repeated::default();
        let words = ["a", "b", "a", "", "b"];
        words.iter().for_each(|word| list.push((*word).to_owned()));
        let found: Vec<_> = (0..words.len()).map(|place| list.get(place)).collect();
        assert_eq!(found, words.each_ref());
        assert_eq!(list.get(4), "b");
        assert!(std::ptr::eq(list.get(0), list.get(2)));
    }
}
