//! What is wrong with the connection to a broker, in words of the one who configured it.

use std::fmt;
use std::io::{self, ErrorKind};

use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, DisconnectReasonCode};
use rumqttc::v5::{ConnectionError, StateError};

/// How the system's resolver is quoted when it does not know a name; the kind of the error does not tell.
const NO_SUCH_HOST: &str = "failed to lookup address";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerProblem {
    pub problem: String,
    /// What to do about it.
    pub mend: &'static str,
    /// The broker is well and takes nobody in now: the same may go well later.
    pub is_busy: bool,
}

impl fmt::Display for BrokerProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.mend)
    }
}

impl BrokerProblem {
    pub(crate) fn new(problem: impl Into<String>, mend: &'static str) -> Self {
        Self { problem: problem.into(), mend, is_busy: false }
    }

    pub(crate) fn of(error: &ConnectionError) -> Self {
        match error {
            ConnectionError::ConnectionRefused(code) => Self::of_refusal(*code),
            ConnectionError::Io(error) => Self::new(error.to_string(), mend_of_io(error)),
            ConnectionError::Timeout(_) => Self::new("nobody answers", UNREACHABLE),
            ConnectionError::Tls(error) => Self::new(
                error.to_string(),
                "the broker's certificate must name its host and come from an authority that is trusted (ca_file); a \
                 port without TLS wants mqtt://",
            ),
            ConnectionError::MqttState(StateError::ServerDisconnect {
                reason_code: reason @ DisconnectReasonCode::SessionTakenOver,
                ..
            }) => Self::new(
                format!("the broker ended the connection: {reason:?}"),
                "somebody else connects with the same client id: give each its own",
            ),
            other => Self::new(other.to_string(), "look at the broker's log; a port with TLS wants mqtts://"),
        }
    }

    fn of_refusal(code: ConnectReturnCode) -> Self {
        let is_busy = matches!(code, ConnectReturnCode::ServerUnavailable | ConnectReturnCode::ServerBusy);
        let mend = match code {
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
                "mend user name and password, or let the broker permit them"
            }
            ConnectReturnCode::ServerUnavailable | ConnectReturnCode::ServerBusy => "it is tried again",
            ConnectReturnCode::ClientIdentifierNotValid => "use another client id, or let the broker permit this one",
            ConnectReturnCode::UnsupportedProtocolVersion => "use a broker that speaks MQTT 5",
            _ => "look at the broker's log",
        };
        Self { is_busy, ..Self::new(format!("the broker refuses the connection: {code:?}"), mend) }
    }
}

const UNREACHABLE: &str = "mend host and port, or look at the network and the firewalls between";

fn mend_of_io(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionRefused => "nobody listens there: start the broker, or mend host and port",
        _ if error.to_string().contains(NO_SUCH_HOST) => "mend the host's name, or this machine's name service",
        _ => UNREACHABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_follows_from_what_is_wrong() {
        let refused = |code| BrokerProblem::of(&ConnectionError::ConnectionRefused(code));
        let wrong = refused(ConnectReturnCode::BadUserNamePassword);
        assert!(wrong.to_string().contains("BadUserNamePassword; mend user name and password"), "{wrong}");
        assert!(!wrong.is_busy);
        assert!(
            refused(ConnectReturnCode::ServerUnavailable).is_busy && refused(ConnectReturnCode::ServerBusy).is_busy
        );
        let io = |error: io::Error| BrokerProblem::of(&ConnectionError::Io(error)).mend;
        assert!(io(ErrorKind::ConnectionRefused.into()).contains("start the broker"));
        assert!(io(ErrorKind::HostUnreachable.into()).contains("firewalls"));
    }

    #[tokio::test]
    async fn a_host_that_nobody_knows_is_told_from_a_broker_that_is_down() {
        let error = tokio::net::lookup_host("no..host:1883").await.map(drop).unwrap_err();
        assert!(mend_of_io(&error).contains("name service"), "{error}");
    }
}
