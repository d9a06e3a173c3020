//! The section `[auth]`: who may come in. Without any entry, and with every door on loopback, the doors are open.

use std::collections::HashMap;

use gwbank_model::GatewayId;
use gwbank_pgwire::{User, Users, Verifier};
use gwbank_server::auth::{Access, Credentials, Role};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSection {
    pub users: Vec<UserEntry>,
    pub tokens: Vec<TokenEntry>,
    pub gateways: Vec<GatewayCredential>,
}

/// A person, with a password (HTTP Basic).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserEntry {
    pub name: String,
    pub role: String,
    /// Argon2 string in PHC format.
    pub password: String,
    /// The same password for PostgreSQL's clients, as PostgreSQL keeps it; "" where it may not be used there.
    #[serde(default)]
    pub scram: String,
}

/// A program, with a bearer token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    pub name: String,
    pub role: String,
    /// SHA-256 digest of the token in hexadecimal.
    pub sha256: String,
    /// For role `gateway`: the only id under which it sends.
    #[serde(default)]
    pub gateway: String,
    /// The same token as the password of PostgreSQL's clients, whose user name is the entry's name, as PostgreSQL keeps it;
    /// "" where it may not be used there. The digest above would not do: of a password SCRAM shows the server no more than
    /// a proof, which only a salted verifier of the password itself can check.
    #[serde(default)]
    pub scram: String,
}

/// A gateway's MQTT user name (its id) and password; the same works for HTTP Basic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayCredential {
    pub id: String,
    /// Argon2 string in PHC format.
    pub password: String,
}

/// What is wrong with an entry: its key and why.
pub type EntryProblem = (String, String);

impl AuthSection {
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.tokens.is_empty() && self.gateways.is_empty()
    }

    /// The credentials of HTTP, or everything that is wrong with them.
    pub fn credentials(&self) -> Result<Credentials, Vec<EntryProblem>> {
        let mut credentials = Credentials::new();
        let mut problems = Vec::new();
        let role_of = |role: &str| -> Result<Role, String> {
            role.parse().map_err(|_| {
                let all: Vec<&str> = Role::GIVEN.iter().map(|role| role.name()).collect();
                format!("role {role:?} is not one of {}", all.join(", "))
            })
        };
        for (index, user) in self.users.iter().enumerate() {
            let added = role_of(&user.role).and_then(|role| {
                if role == Role::Gateway {
                    return Err("role gateway belongs under [[auth.gateways]]".to_owned());
                }
                credentials.add_user(&user.name, role, &user.password).map_err(|error| error.to_string())
            });
            problems.extend(added.err().map(|problem| (format!("auth.users[{index}]"), problem)));
        }
        for (index, token) in self.tokens.iter().enumerate() {
            let added = role_of(&token.role).and_then(|role| {
                let gateway = match token.gateway.as_str() {
                    "" => None,
                    id => Some(GatewayId::new(id).map_err(|error| format!("gateway: {error}"))?),
                };
                credentials.add_token(&token.name, role, gateway, &token.sha256).map_err(|error| error.to_string())
            });
            problems.extend(added.err().map(|problem| (format!("auth.tokens[{index}]"), problem)));
        }
        for (index, gateway) in self.gateways.iter().enumerate() {
            let added = GatewayId::new(&gateway.id)
                .map_err(|error| error.to_string())
                .and_then(|id| credentials.add_gateway(&id, &gateway.password).map_err(|error| error.to_string()));
            problems.extend(added.err().map(|problem| (format!("auth.gateways[{index}]"), problem)));
        }
        if problems.is_empty() { Ok(credentials) } else { Err(problems) }
    }

    /// Who may connect as a client of PostgreSQL, or everything that is wrong with them. Roles are checked by
    /// [`Self::credentials`].
    pub fn sql_users(&self) -> Result<Users, Vec<EntryProblem>> {
        if self.is_empty() {
            return Ok(Users::Everybody);
        }
        let people = self.users.iter().enumerate().map(|(index, user)| {
            let UserEntry { name, role, scram, .. } = user;
            (format!("auth.users[{index}]"), name, role, scram)
        });
        let programs = self.tokens.iter().enumerate().map(|(index, token)| {
            let TokenEntry { name, role, scram, .. } = token;
            (format!("auth.tokens[{index}]"), name, role, scram)
        });
        let (mut users, mut problems) = (HashMap::new(), Vec::new());
        for (entry, name, role, scram) in people.chain(programs).filter(|(.., scram)| !scram.is_empty()) {
            match Verifier::parse(scram) {
                Ok(verifier) => {
                    let may_query = role.parse().is_ok_and(|role| Access::Sql.permits(role));
                    if users.insert(name.clone(), User { verifier, may_query }).is_some() {
                        problems.push((format!("{entry}.name"), format!("{name:?} is another entry's name, too")));
                    }
                }
                Err(error) => problems.push((format!("{entry}.scram"), error.to_string())),
            }
        }
        if problems.is_empty() { Ok(Users::Known(users)) } else { Err(problems) }
    }
}
