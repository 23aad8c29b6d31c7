//! A bounded queue whose waits end: by an item, by closing, or by a tick of time.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// First in, first out, at most `capacity` items.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    not_empty: Condvar,
    not_full: Condvar,
    capacity: usize,
}

struct State<T> {
    items: VecDeque<T>,
    closed: bool,
}

/// What a bounded wait for an item gave.
pub(crate) enum Popped<T> {
    Item(T),
    Timeout,
    /// Closed, and empty.
    Closed,
}

impl<T> Queue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::new(State { items: VecDeque::with_capacity(capacity), closed: false }),
            not_empty: Condvar::new(),
            not_full: Condvar::new(),
            capacity,
        }
    }

    /// Adds an item, waiting for room. Gives it back if the queue is closed.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let mut state = self.state.lock();
        while state.items.len() >= self.capacity && !state.closed {
            self.not_full.wait(&mut state);
        }
        self.put(&mut state, item)
    }

    /// Adds an item, waiting for room up to `timeout`. Gives it back if there is none, or if the
    /// queue is closed.
    pub(crate) fn push_timeout(&self, item: T, timeout: Duration) -> Result<(), T> {
        let mut state = self.state.lock();
        if state.items.len() >= self.capacity && !state.closed {
            self.not_full.wait_for(&mut state, timeout);
        }
        if state.items.len() >= self.capacity { Err(item) } else { self.put(&mut state, item) }
    }

    fn put(&self, state: &mut State<T>, item: T) -> Result<(), T> {
        if state.closed {
            return Err(item);
        }
        state.items.push_back(item);
        self.not_empty.notify_one();
        Ok(())
    }

    /// Takes an item, waiting for one. `None` once the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<T> {
        let mut state = self.state.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                self.not_full.notify_one();
                return Some(item);
            }
            if state.closed {
                return None;
            }
            self.not_empty.wait(&mut state);
        }
    }

    /// Takes an item, waiting for one up to `timeout`.
    pub(crate) fn pop_timeout(&self, timeout: Duration) -> Popped<T> {
        let mut state = self.state.lock();
        if state.items.is_empty() && !state.closed {
            self.not_empty.wait_for(&mut state, timeout);
        }
        match state.items.pop_front() {
            Some(item) => {
                self.not_full.notify_one();
                Popped::Item(item)
            }
            None if state.closed => Popped::Closed,
            None => Popped::Timeout,
        }
    }

    /// Whether it was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// No more items: waits end, and what is in the queue can still be taken.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.not_empty.notify_all();
        self.not_full.notify_all();
    }
}
