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

#[test]
fn the_mock_stands_in_for_a_provider() {
    let name = ProviderName::new("aws").unwrap();
    let scope = Scope::run(RunId::new("r1").unwrap());
    let shape = Shape { arch: Arch::Aarch64, vcpus: Some(1), memory_bytes: None };
    let mut mock = MockProvider::new();
    mock.expect_name().return_const(name.clone());
    mock.expect_shape().withf(|name| name == "c7g.medium").returning(move |_| Ok(shape));
    mock.expect_shape().returning(move |other| {
        let (provider, other) = (name.clone(), other.to_owned());
        Err(ShapeError::Unknown { provider, name: other, nearest: Vec::new() })
    });
    let expected = scope.clone();
    mock.expect_list()
        .withf(move |scope| *scope == expected)
        .times(1)
        .returning(|_| Ok(Vec::new()));

    let provider: Arc<dyn Provider> = Arc::new(mock);
    assert_eq!(provider.name().as_str(), "aws");
    assert_eq!(provider.shape("c7g.medium"), Ok(shape));
    assert!(provider.shape("c7g.tiny").is_err());
    assert!(at_once(provider.list(&scope)).unwrap().is_empty());
}
