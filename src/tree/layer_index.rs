//! [`LayerIndex`]: which layer each path of a stack comes from, now and before each layer.
//!
//! Layers are put on from the bottom. Invariant: for every path and every layer the index knows
//! what stood there before that layer was put on.

use std::collections::BTreeMap;

use super::RootPath;

/// Where the data of a regular file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    /// With its metadata.
    Own,
    /// In another layer, at this path of it.
    At(u32, RootPath),
    /// In no layer of this stack.
    Missing,
}

/// Where in a layer an entry is that does not stand there under its visible path.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Elsewhere {
    path: RootPath,
    data: Data,
}

/// One visible entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    /// The layer that holds it.
    pub(super) layer: u32,
    /// The layer that put it at this path; a higher one than `layer` when it was renamed.
    pub(super) since: u32,
    /// Rare, and boxed so that it costs little where it is absent.
    elsewhere: Option<Box<Elsewhere>>,
}

impl Slot {
    /// The path inside the layer of what is visible at `path`.
    pub(super) fn inner<'a>(&'a self, path: &'a RootPath) -> &'a RootPath {
        self.elsewhere.as_ref().map_or(path, |elsewhere| &elsewhere.path)
    }

    /// Where the data of this regular file is.
    pub(super) fn data(&self) -> &Data {
        self.elsewhere.as_ref().map_or(&Data::Own, |elsewhere| &elsewhere.data)
    }
}

/// What stood at a path from a layer on, until the next state.
#[derive(Debug)]
struct State {
    since: u32,
    slot: Option<Slot>,
}

/// All paths of a stack with their history.
#[derive(Debug, Default)]
pub(super) struct LayerIndex {
    now: BTreeMap<RootPath, Slot>,
    /// Earlier states, ascending; only of paths that a layer changed.
    past: BTreeMap<RootPath, Vec<State>>,
}

impl LayerIndex {
    /// What is visible at `path`.
    pub(super) fn get(&self, path: &RootPath) -> Option<&Slot> {
        self.now.get(path)
    }

    /// Everything that is visible, in path order.
    pub(super) fn visible(&self) -> impl Iterator<Item = (&RootPath, &Slot)> {
        self.now.iter()
    }

    /// What is visible directly below `dir`.
    pub(super) fn children<'a>(
        &'a self,
        dir: &'a RootPath,
    ) -> impl Iterator<Item = (&'a RootPath, &'a Slot)> {
        let mut range = self.below(dir);
        std::iter::from_fn(move || {
            let (path, slot) = range.next()?;
            // No name holds a lower byte than 1, so this is behind everything below `path`.
            let mut behind = path.name().to_vec();
            behind.push(1);
            range = self.now.range(dir.child(&behind)..);
            Some((path, slot))
        })
        .take_while(move |(path, _)| path.is_within(dir))
    }

    fn below(&self, dir: &RootPath) -> std::collections::btree_map::Range<'_, RootPath, Slot> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.now.range::<RootPath, _>((Excluded(dir), Unbounded))
    }

    /// What stood at `path` before `layer` was put on.
    pub(super) fn before(&self, path: &RootPath, layer: u32) -> Option<&Slot> {
        match self.now.get(path) {
            Some(slot) if slot.since < layer => Some(slot),
            _ => {
                let states = self.past.get(path)?;
                states.iter().rev().find(|state| state.since < layer)?.slot.as_ref()
            }
        }
    }

    /// Puts the entry at `path` of `layer` there.
    pub(super) fn put(&mut self, path: &RootPath, layer: u32, data: Data) {
        let elsewhere =
            (data != Data::Own).then(|| Box::new(Elsewhere { path: path.clone(), data }));
        self.insert(path, Slot { layer, since: layer, elsewhere });
    }

    fn insert(&mut self, path: &RootPath, slot: Slot) {
        let since = slot.since;
        if let Some(old) = self.now.insert(path.clone(), slot) {
            // What a layer's own marks made and unmade was never visible.
            if old.since < since {
                self.remember(path, old);
            }
        }
    }

    fn remember(&mut self, path: &RootPath, slot: Slot) -> &mut Vec<State> {
        let states = self.past.entry(path.clone()).or_default();
        states.push(State { since: slot.since, slot: Some(slot) });
        states
    }

    /// Makes `layer` delete what lower layers have at `path` and below it.
    pub(super) fn hide(&mut self, path: &RootPath, layer: u32) {
        if self.now.get(path).is_some_and(|slot| slot.layer != layer) {
            self.drop_one(path, layer);
        }
        self.hide_below(path, layer);
    }

    /// Makes `layer` delete what lower layers have below `path`.
    pub(super) fn hide_below(&mut self, path: &RootPath, layer: u32) {
        let hidden: Vec<RootPath> = self
            .below(path)
            .take_while(|(at, _)| at.is_within(path))
            .filter(|(_, slot)| slot.layer != layer)
            .map(|(at, _)| at.clone())
            .collect();
        for at in hidden {
            self.drop_one(&at, layer);
        }
    }

    fn drop_one(&mut self, path: &RootPath, layer: u32) {
        match self.now.remove(path) {
            Some(slot) if slot.since < layer => {
                self.remember(path, slot).push(State { since: layer, slot: None });
            }
            _ => {}
        }
    }

    /// Makes `layer` show below `to` what stood below `from` before it was put on. Copies at most `most` paths and returns how many, or `None` when they are
    /// more.
    pub(super) fn graft(
        &mut self,
        from: &RootPath,
        to: &RootPath,
        layer: u32,
        most: usize,
    ) -> Option<usize> {
        self.hide_below(to, layer);
        let within = |path: &&RootPath| path.is_within(from) && *path != from;
        let now = self.now.range(from.clone()..).map(|(path, _)| path);
        let past = self.past.range(from.clone()..).map(|(path, _)| path);
        let now = now.take_while(|path| path.is_within(from)).filter(within);
        let past = past.take_while(|path| path.is_within(from)).filter(within);
        let mut grafts = BTreeMap::new();
        for path in now.chain(past) {
            let Some(slot) = self.before(path, layer) else { continue };
            let Some(rest) = path.strip_prefix(from) else { continue };
            let elsewhere = Elsewhere { path: slot.inner(path).clone(), data: slot.data().clone() };
            let slot =
                Slot { layer: slot.layer, since: layer, elsewhere: Some(Box::new(elsewhere)) };
            grafts.insert(to.join(&rest), slot);
            if grafts.len() > most {
                return None;
            }
        }
        let count = grafts.len();
        for (path, slot) in grafts {
            self.insert(&path, slot);
        }
        Some(count)
    }

    /// The topmost paths that were visible once and are not now, with the layer that deleted them.
    pub(super) fn deleted(&self) -> impl Iterator<Item = (&RootPath, u32)> {
        self.past.iter().filter_map(|(path, states)| {
            let gone = states.last().filter(|state| state.slot.is_none())?;
            let topmost = path.parent().is_none_or(|parent| self.now.contains_key(&parent));
            (topmost && !self.now.contains_key(path)).then_some((path, gone.since))
        })
    }
}
