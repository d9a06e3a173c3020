//! A bare MQTT 3.1.1 publisher that shows exactly which messages were acknowledged.
//!
//! The conservation tests need to know, at the moment of a kill, which PUBACKs had arrived; client libraries hide that
//! behind their own resending. So this one speaks the few packets by hand, one message in flight at a time or pipelined.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub struct Publisher {
    stream: TcpStream,
    next_packet_id: u16,
}

fn remaining_length(mut length: usize, out: &mut Vec<u8>) {
    loop {
        let mut byte = (length % 128) as u8;
        length /= 128;
        if length > 0 {
            byte |= 0x80;
        }
        out.push(byte);
        if length == 0 {
            return;
        }
    }
}

fn text(value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value.as_bytes());
}

impl Publisher {
    pub fn connect(address: &str, client_id: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.set_write_timeout(Some(Duration::from_secs(20)))?;
        let mut body = Vec::new();
        text("MQTT", &mut body);
        body.push(4); // protocol level of 3.1.1
        body.push(0b0000_0010); // clean session
        body.extend_from_slice(&60u16.to_be_bytes());
        text(client_id, &mut body);
        let mut publisher = Self { stream, next_packet_id: 0 };
        publisher.send(0x10, &body)?;
        let (kind, body) = publisher.receive()?;
        match (kind, body.as_slice()) {
            (0x20, [_, 0]) => Ok(publisher),
            (_, answer) => Err(io::Error::other(format!("not connected: packet {kind:#x} {answer:?}"))),
        }
    }

    /// Publishes at QoS 1 and returns when the PUBACK has come.
    pub fn publish(&mut self, topic: &str, payload: &[u8]) -> io::Result<()> {
        let id = self.publish_without_waiting(topic, payload)?;
        let acknowledged = self.next_ack()?;
        if acknowledged != id {
            return Err(io::Error::other(format!("PUBACK of {acknowledged}, expected {id}")));
        }
        Ok(())
    }

    /// Publishes at QoS 1 and returns the packet id whose PUBACK is now owed.
    pub fn publish_without_waiting(&mut self, topic: &str, payload: &[u8]) -> io::Result<u16> {
        self.next_packet_id = self.next_packet_id.checked_add(1).unwrap_or(1);
        let mut body = Vec::with_capacity(topic.len() + payload.len() + 4);
        text(topic, &mut body);
        body.extend_from_slice(&self.next_packet_id.to_be_bytes());
        body.extend_from_slice(payload);
        self.send(0x32, &body)?;
        Ok(self.next_packet_id)
    }

    /// The packet id of the next PUBACK.
    pub fn next_ack(&mut self) -> io::Result<u16> {
        loop {
            let (kind, body) = self.receive()?;
            if kind == 0x40 && body.len() >= 2 {
                return Ok(u16::from_be_bytes([body[0], body[1]]));
            }
        }
    }

    fn send(&mut self, first: u8, body: &[u8]) -> io::Result<()> {
        let mut packet = vec![first];
        remaining_length(body.len(), &mut packet);
        packet.extend_from_slice(body);
        self.stream.write_all(&packet)
    }

    fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut byte = [0u8; 1];
        self.stream.read_exact(&mut byte)?;
        let kind = byte[0] & 0xf0;
        let mut length = 0usize;
        for shift in (0..28).step_by(7) {
            self.stream.read_exact(&mut byte)?;
            length |= usize::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0u8; length];
        self.stream.read_exact(&mut body)?;
        Ok((kind, body))
    }
}
