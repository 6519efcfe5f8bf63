//! `railsbench token`: who may use an orchestrator.

use railsbench::id::TokenName;
use railsbench::protocol::{CreatedToken, NewToken, TokenList};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{close, connect, connect_or_begin};
use crate::args::{OrchestratorArgs, TokenAction, TokenArgs, TokenCreateArgs};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::render;

pub async fn execute(args: &TokenArgs, output: &Output) -> Result<Exit, Failure> {
    match &args.action {
        TokenAction::Create(args) => {
            let created = create(args).await?;
            let token = &created.token;
            output.show(&created, || {
                format!(
                    "{}\n{} token of {}, until {}; it is shown this once\n",
                    created.secret.expose_secret(),
                    token.scope.as_str(),
                    token.name,
                    render::units::moment(token.expires_at),
                )
            })?;
        }
        TokenAction::List(args) => {
            let list = list(&args.orchestrator).await?;
            output.show(&list, || render::tokens(&list.tokens))?;
        }
        TokenAction::Revoke(args) => {
            revoke(&args.name, &args.orchestrator).await?;
            let body = json!({"name": args.name, "revoked": true});
            output.show(&body, || format!("the token {} is revoked\n", args.name))?;
        }
    }
    Ok(Exit::Ok)
}

async fn create(args: &TokenCreateArgs) -> Result<CreatedToken, Failure> {
    // The embedded orchestrator may be asked for a token before it has had a run.
    let connection = connect_or_begin(&args.orchestrator).await?;
    let wanted = NewToken {
        name: args.name.clone(),
        scope: args.scope.into(),
        valid_seconds: Some(args.valid.as_secs()),
    };
    let created = connection.client.create_token(&wanted).await;
    close(connection).await;
    Ok(created?)
}

async fn list(args: &OrchestratorArgs) -> Result<TokenList, Failure> {
    let Some(connection) = connect(args).await? else {
        return Ok(TokenList { tokens: Vec::new() });
    };
    let list = connection.client.tokens().await;
    close(connection).await;
    Ok(list?)
}

async fn revoke(name: &TokenName, args: &OrchestratorArgs) -> Result<(), Failure> {
    let Some(connection) = connect(args).await? else {
        return Err(Failure::usage(format!("there is no token {name}")));
    };
    let revoked = connection.client.revoke_token(name).await;
    close(connection).await;
    Ok(revoked?)
}
