//! Looking again until something has come about.

use std::time::Duration;

/// Looks every `every` until the look gives something, for at most `patience`; `None` if it gave
/// nothing by then. The first look is at once, and there is always a last one at the end.
///
/// # Errors
/// Those of the look, which end it.
pub async fn until<T, E>(
    patience: Duration,
    every: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        if let Some(found) = look().await? {
            return Ok(Some(found));
        }
        let now = tokio::time::Instant::now();
        if now >= deadline {
            return Ok(None);
        }
        tokio::time::sleep_until(deadline.min(now + every)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_looks_until_there_is_something_or_patience_ends() {
        let mut looks = 0;
        let mut look = async |patience: Duration, wanted: u32| {
            until(patience, Duration::from_millis(1), async || {
                looks += 1;
                Ok::<_, ()>((looks == wanted).then_some(looks))
            })
            .await
        };
        assert_eq!(look(Duration::from_hours(1), 3).await, Ok(Some(3)));
        assert_eq!(look(Duration::ZERO, 99).await, Ok(None));
        assert_eq!(looks, 4);
    }

    #[tokio::test]
    async fn the_last_look_is_at_the_end_of_patience() {
        let mut looks = 0;
        let (patience, every) = (Duration::from_millis(1), Duration::from_hours(1));
        let found: Result<Option<()>, ()> = until(patience, every, async || {
            looks += 1;
            Ok(None)
        })
        .await;
        assert_eq!((found, looks), (Ok(None), 2));
    }

    #[tokio::test]
    async fn an_error_ends_it() {
        let found: Result<Option<()>, &str> =
            until(Duration::from_hours(1), Duration::from_hours(1), async || Err("broken")).await;
        assert_eq!(found, Err("broken"));
    }
}
