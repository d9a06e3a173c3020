//! `gwbank hash-password`, `gwbank hash-token`: what belongs under `[auth]`, without the secret on a command line.

use std::io::Read;

use gwbank_pgwire::Verifier;
use gwbank_server::auth::{password_hash, token_digest};

use super::output;
use crate::arguments::{HashPasswordArguments, HashTokenArguments};
use crate::failure::{Failure, Outcome};

fn secret() -> Outcome<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let secret = text.trim_end_matches(['\r', '\n']).to_owned();
    if secret.is_empty() {
        return Err(Failure::usage(anyhow::anyhow!("nothing came on standard input")));
    }
    Ok(secret)
}

pub fn password(asked: &HashPasswordArguments) -> Outcome {
    let secret = secret()?;
    output::line(&format!("password = \"{}\"", password_hash(&secret)?))?;
    if asked.scram {
        output::line(&format!("scram = \"{}\"", Verifier::new(&secret)))?;
    }
    Ok(())
}

pub fn token(asked: &HashTokenArguments) -> Outcome {
    let token = if asked.new {
        let token: String = rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect();
        output::line(&format!("# token: {token}"))?;
        token
    } else {
        secret()?
    };
    output::line(&format!("sha256 = \"{}\"", token_digest(&token)))?;
    if asked.scram {
        output::line(&format!("scram = \"{}\"", Verifier::new(&token)))?;
    }
    Ok(())
}
