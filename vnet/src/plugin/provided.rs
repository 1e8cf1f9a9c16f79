//! What plugins give to the program that built the engine.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
};

/// Values of plugins, by their type.
#[derive(Default)]
pub(crate) struct Provided(HashMap<TypeId, Box<dyn Any>>);

impl Provided {
    pub(super) fn add<T: 'static>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Box::new(value));
    }

    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }
}
