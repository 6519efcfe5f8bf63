//! The mock of [`Provider`], for tests of its callers, can be made, told what to say, and used
//! behind `dyn Provider` as every caller uses one.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use railsbench_core::id::{ProviderName, RunId};
use railsbench_core::provider::{Arch, MockProvider, Provider, Scope, Shape, ShapeError};

/// The answer of a call that does not wait for anything.
fn at_once<F: Future>(call: F) -> F::Output {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a mock does not wait"),
    }
}
