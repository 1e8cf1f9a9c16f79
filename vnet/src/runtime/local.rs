//! State of one thread that several of its nodes use.
//!
//! A node that needs it takes the whole box out for the time it looks at a frame and puts it back after, so that the borrow
//! checker sees two owners that never meet; what moves is a pointer.

use std::{any::Any, marker::PhantomData};

/// Names a value of type `T` of which each thread has its own.
pub struct Local<T> {
    index: usize,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Local<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Local<T> {}

/// Makes a thread's value.
pub(crate) type MakeLocal = Box<dyn Fn(usize) -> Box<dyn Any + Send>>;

impl<T: Send + 'static> Local<T> {
    /// A key for the `index`-th local value, and what makes it for a thread.
    pub(crate) fn new(index: usize, make: impl Fn(usize) -> T + 'static) -> (Self, MakeLocal) {
        (Self { index, of: PhantomData }, Box::new(move |thread| Box::new(make(thread))))
    }
}

/// The local values of a thread.
#[derive(Default)]
pub(crate) struct Locals {
    values: Vec<Option<Box<dyn Any + Send>>>,
}

impl Locals {
    pub(crate) fn new(make: &[MakeLocal], thread: usize) -> Self {
        let values = make.iter().map(|make| Some(make(thread))).collect();
        Self { values }
    }

    #[inline]
    pub(crate) fn take<T: Send + 'static>(&mut self, key: Local<T>) -> Option<Box<T>> {
        self.values.get_mut(key.index)?.take()?.downcast().ok()
    }

    #[inline]
    pub(crate) fn put<T: Send + 'static>(&mut self, key: Local<T>, value: Box<T>) {
        if let Some(place) = self.values.get_mut(key.index) {
            *place = Some(value);
        }
    }

    pub(crate) fn get<T: Send + 'static>(&self, key: Local<T>) -> Option<&T> {
        self.values.get(key.index)?.as_ref()?.downcast_ref()
    }

    pub(crate) fn get_mut<T: Send + 'static>(&mut self, key: Local<T>) -> Option<&mut T> {
        self.values.get_mut(key.index)?.as_mut()?.downcast_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_takes_its_own_value_and_puts_it_back() {
        let (numbers, make_numbers) = Local::new(0, |thread| vec![thread]);
        let (name, make_name) = Local::new(1, |thread| format!("thread {thread}"));
        let mut locals = Locals::new(&[make_numbers, make_name], 3);
        let mut taken = locals.take(numbers).unwrap();
        assert!(locals.take(numbers).is_none());
        taken.push(4);
        locals.put(numbers, taken);
        assert_eq!(locals.get(numbers), Some(&vec![3, 4]));
        assert_eq!(locals.get_mut(name).map(|s| s.as_str()), Some("thread 3"));
    }
}
