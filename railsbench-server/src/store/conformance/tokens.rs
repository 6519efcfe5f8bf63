//! Tokens: kept by their hash, until they end or are taken.

use super::Subject;
use super::fixture::{Steps, at, run_id};
use crate::store::{Scope, StoreError, StoredToken, TokenOwner};

pub(super) async fn tokens_are_kept_until_they_end(subject: &dyn Subject) {
    let steps = Steps(subject);
    let scopes = [Scope::Operator, Scope::Reader, Scope::Login, Scope::Run(run_id("r"))];
    let tokens: Vec<StoredToken> = (1u8..)
        .zip(scopes)
        .map(|(byte, scope)| StoredToken {
            hash: [byte; 32],
            scope,
            expires_at: at(100),
            owner: None,
        })
        .collect();
    for token in &tokens {
        steps.store().await.add_token(token.clone()).await.expect("tokens can be kept");
    }
    let look = async |hash: u8, second| {
        let found = steps.store().await.token(&[hash; 32], at(second)).await;
        found.expect("tokens can be looked up")
    };
    for (hash, token) in (1u8..).zip(&tokens) {
        assert_eq!(look(hash, 99).await.as_ref(), Some(token));
        assert_eq!(look(hash, 100).await, None, "a token ends on the second");
    }
    assert_eq!(look(77, 1).await, None, "an unknown hash is no token");
    let longer = StoredToken { expires_at: at(200), ..tokens[0].clone() };
    steps.store().await.add_token(longer.clone()).await.expect("a token can be replaced");
    steps.expire(150, 10).await;
    assert_eq!(look(1, 150).await, Some(longer));
    assert_eq!(look(2, 50).await, None, "what had ended is forgotten");
}

pub(super) async fn a_token_is_taken_once(subject: &dyn Subject) {
    let steps = Steps(subject);
    let token =
        StoredToken { hash: [7; 32], scope: Scope::Login, expires_at: at(100), owner: None };
    let ended = StoredToken { hash: [8; 32], ..token.clone() };
    for token in [&token, &ended] {
        steps.store().await.add_token(token.clone()).await.expect("tokens can be kept");
    }
    let store = steps.store().await;
    let takes = (0..16).map(|_| store.take_token(&token.hash, at(1)));
    let takes = futures::future::join_all(takes).await;
    drop(store);
    let winners: Vec<StoredToken> =
        takes.into_iter().filter_map(|take| take.expect("anyone may try")).collect();
    assert_eq!(winners, std::slice::from_ref(&token), "one of sixteen gets it");
    let store = steps.store().await;
    assert_eq!(store.token(&token.hash, at(1)).await.expect("tokens can be looked up"), None);
    assert_eq!(store.take_token(&ended.hash, at(100)).await.expect("anyone may try"), None);
}

pub(super) async fn a_token_with_an_owner_is_listed_until_it_is_revoked(subject: &dyn Subject) {
    let steps = Steps(subject);
    let token = |hash: u8, name: &str, made, ends| StoredToken {
        hash: [hash; 32],
        scope: Scope::Operator,
        expires_at: at(ends),
        owner: Some(TokenOwner {
            name: name.parse().expect("it follows the grammar"),
            created_at: at(made),
        }),
    };
    let (zoe, adam) = (token(1, "zoe", 1, 100), token(2, "adam", 2, 100));
    let nobodys = StoredToken { owner: None, ..token(3, "x", 1, 100) };
    for token in [&zoe, &adam, &nobodys] {
        steps.store().await.add_token(token.clone()).await.expect("tokens can be kept");
    }
    let list = async |second| {
        steps.store().await.owned_tokens(at(second)).await.expect("tokens can be listed")
    };
    assert_eq!(list(50).await, [adam.clone(), zoe.clone()], "by name");
    assert_eq!(list(100).await, [], "what has ended is not listed");
    let found = steps.store().await.token(&zoe.hash, at(50)).await;
    assert_eq!(found.expect("tokens can be looked up"), Some(zoe.clone()));
    let second = steps.store().await.add_token(token(4, "zoe", 99, 300)).await;
    assert!(matches!(second, Err(StoreError::TokenNameTaken(_))), "{second:?}");
    let later = token(5, "zoe", 100, 300);
    steps.store().await.add_token(later.clone()).await.expect("the first has ended by then");
    assert_eq!(list(150).await, std::slice::from_ref(&later));
    let revoke = async |name: &str| {
        let name = name.parse().expect("it follows the grammar");
        steps.store().await.revoke_token(&name).await.expect("tokens can be revoked")
    };
    assert!(revoke("zoe").await);
    assert!(!revoke("zoe").await, "it is gone");
    let found = steps.store().await.token(&later.hash, at(150)).await;
    assert_eq!(found.expect("tokens can be looked up"), None);
    let found = steps.store().await.token(&nobodys.hash, at(50)).await;
    assert_eq!(found.expect("tokens can be looked up"), Some(nobodys), "others go on");
}
