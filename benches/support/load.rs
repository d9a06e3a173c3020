//! A bare MQTT 3.1.1 load generator: many connections on one thread, messages pipelined, acknowledgements timed.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use gwbank_model::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Error;
use super::readings::{Messages, Shape, topic};
use super::stats::Times;

const PUBACK_BYTES: usize = 4;

#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub address: SocketAddr,
    pub shape: Shape,
    pub start: Timestamp,
    pub run: Duration,
    /// Messages that a connection has sent and not seen acknowledged.
    pub in_flight: usize,
    pub pace: Pace,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    AsFastAsAcknowledged,
    /// Over all connections; what is late is made up for, as far as `in_flight` allows.
    ReadingsPerSecond(f64),
}

#[derive(Debug, Default)]
pub struct Outcome {
    pub messages: u64,
    pub readings: u64,
    pub seconds: f64,
    /// From writing a message to its PUBACK.
    pub acknowledgements: Times,
}

impl Outcome {
    pub fn rate(&self) -> f64 {
        self.readings as f64 / self.seconds
    }
}

/// Runs the load on a thread of its own; blocks. Every message that was sent is waited for and counted.
pub fn run(load: Load) -> Result<Outcome, Error> {
    let thread = std::thread::Builder::new().name("load".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(run_all(load))
    })?;
    thread.join().map_err(|_| "the load generator panicked")?
}

async fn run_all(load: Load) -> Result<Outcome, Error> {
    let mut connections = Vec::new();
    for connection in 0..load.shape.connections {
        let client = Client::connect(load.address, &format!("load-{connection}")).await?;
        connections.push((client, Messages::new(connection, load.shape, load.start), connection));
    }
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for (client, messages, connection) in connections {
        tasks.spawn(publish(client, messages, topic(connection), load, began));
    }
    let mut outcome = Outcome::default();
    while let Some(ended) = tasks.join_next().await {
        let times = ended??;
        outcome.messages += times.len() as u64;
        outcome.acknowledgements.append(times);
    }
    outcome.seconds = began.elapsed().as_secs_f64();
    outcome.readings = outcome.messages * load.shape.readings_per_message() as u64;
    Ok(outcome)
}

async fn publish(
    mut client: Client,
    mut messages: Messages,
    topic: String,
    load: Load,
    began: Instant,
) -> Result<Times, Error> {
    let end = began + load.run;
    let interval = match load.pace {
        Pace::AsFastAsAcknowledged => Duration::ZERO,
        Pace::ReadingsPerSecond(rate) => {
            let per_connection = rate / load.shape.readings_per_message() as f64 / load.shape.connections as f64;
            Duration::from_secs_f64(1.0 / per_connection)
        }
    };
    let mut due = began;
    let mut times = Times::default();
    let mut sent: VecDeque<Instant> = VecDeque::with_capacity(load.in_flight);
    loop {
        let mut now = Instant::now();
        while sent.len() < load.in_flight && now < end && due <= now {
            client.queue_publish(&topic, messages.next_payload());
            sent.push_back(now);
            due += interval;
            now = Instant::now();
        }
        client.flush().await?;
        if sent.is_empty() && now >= end {
            return Ok(times);
        }
        let wait_until_due = due > now && now < end && sent.len() < load.in_flight;
        let acknowledged = if wait_until_due {
            tokio::select! {
                acknowledged = client.acknowledged() => acknowledged?,
                () = tokio::time::sleep_until(due.min(end).into()) => 0,
            }
        } else {
            client.acknowledged().await?
        };
        let now = Instant::now();
        for _ in 0..acknowledged {
            let began = sent.pop_front().ok_or("more acknowledgements than messages")?;
            times.push(now - began);
        }
    }
}

/// One connection; speaks the few packets by hand.
pub struct Client {
    stream: TcpStream,
    out: Vec<u8>,
    input: Vec<u8>,
    packet_id: u16,
}

impl Client {
    pub async fn connect(address: SocketAddr, client_id: &str) -> Result<Self, Error> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut packet = vec![0x10, 12 + client_id.len() as u8];
        text("MQTT", &mut packet);
        packet.extend_from_slice(&[4, 0b0000_0010, 0, 0]); // 3.1.1, clean session, no keep-alive
        text(client_id, &mut packet);
        stream.write_all(&packet).await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        if answer != [0x20, 2, 0, 0] {
            return Err(format!("not connected: {answer:?}").into());
        }
        Ok(Self { stream, out: Vec::new(), input: Vec::new(), packet_id: 0 })
    }

    pub fn queue_publish(&mut self, topic: &str, payload: &[u8]) {
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        self.out.push(0x32);
        remaining_length(2 + topic.len() + 2 + payload.len(), &mut self.out);
        text(topic, &mut self.out);
        self.out.extend_from_slice(&self.packet_id.to_be_bytes());
        self.out.extend_from_slice(payload);
    }

    pub async fn flush(&mut self) -> Result<(), Error> {
        if !self.out.is_empty() {
            self.stream.write_all(&self.out).await?;
            self.out.clear();
        }
        Ok(())
    }

    /// Waits for acknowledgements and says how many came. Cancelling loses none.
    pub async fn acknowledged(&mut self) -> Result<usize, Error> {
        loop {
            let packets = self.input.len() / PUBACK_BYTES;
            if packets > 0 {
                for packet in self.input.drain(..packets * PUBACK_BYTES).collect::<Vec<_>>().chunks(PUBACK_BYTES) {
                    if packet[..2] != [0x40, 2] {
                        return Err(format!("not a PUBACK: {packet:?}").into());
                    }
                }
                return Ok(packets);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err("the broker closed the connection".into());
            }
        }
    }
}

fn text(value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value.as_bytes());
}

fn remaining_length(mut length: usize, out: &mut Vec<u8>) {
    loop {
        let byte = (length % 128) as u8;
        length /= 128;
        out.push(if length > 0 { byte | 0x80 } else { byte });
        if length == 0 {
            return;
        }
    }
}
