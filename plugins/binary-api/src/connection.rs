//! A client's connection: octets in, octets out.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use vnet::{
    api::{Answer, MAX_BEHIND},
    process::{Cx, Interest, Winner, race},
};

use crate::{
    frames::Frames,
    session::{Next, Refused, Session},
};

/// Octets that are read at once.
const CHUNK: usize = 64 << 10;
/// Messages that are answered before packets move, and the time after which fewer will do.
const MESSAGES_A_TURN: usize = 64;
const TURN: Duration = Duration::from_micros(200);
/// Octets that wait for a client beyond which its requests wait as well.
const BEHIND: usize = MAX_BEHIND / 8;
/// Time in which a client is to take something of what is sent to it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time in which a client that goes is to take the rest.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves a client until it goes, or cannot be served.
pub(crate) async fn serve(cx: Cx, stream: UnixStream, session: Session) {
    let end = match race(receive(&cx, &stream, &session), send(&cx, &stream, &session)).await {
        Winner::First(end) | Winner::Second(end) => end,
    };
    match end {
        Ok(()) => {
            let rest = session.outgoing();
            // It has gone, or said that it goes.
            let _ = cx.timeout(LAST_WORDS, write(&cx, &stream, &rest)).await;
        }
        Err(refused) => session.refused(&cx, &refused),
    }
}

/// Reads and answers until the client has said goodbye or closed its end.
async fn receive(cx: &Cx, mut stream: &UnixStream, session: &Session) -> Result<(), Refused> {
    let mut frames = Frames::default();
    let mut chunk = vec![0; CHUNK];
    loop {
        if answer(cx, &mut frames, session).await? {
            return Ok(());
        }
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(length) => frames.push(&chunk[..length]),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => cx.ready(stream, Interest::Readable).await,
                io::ErrorKind::Interrupted => {}
                // It has gone.
                _ => return Ok(()),
            },
        }
    }
}

/// Answers all messages that are whole; whether the client has said goodbye.
async fn answer(cx: &Cx, frames: &mut Frames, session: &Session) -> Result<bool, Refused> {
    let (mut answered, mut since) = (0, Instant::now());
    while let Some(message) = frames.take()? {
        match session.receive(cx, message)? {
            Next::Continue => {}
            Next::Wait(Answer::Later(answer)) => answer.await,
            Next::Wait(Answer::Done) => {}
            Next::End => return Ok(true),
        }
        answered += 1;
        if answered >= MESSAGES_A_TURN || since.elapsed() >= TURN {
            // Packets move, and others have their turn.
            cx.next_round().await;
            (answered, since) = (0, Instant::now());
        }
        while session.client.behind() > BEHIND {
            session.client.taken().await;
        }
    }
    Ok(false)
}

/// Sends what was put down for the client, for as long as it takes that.
async fn send(cx: &Cx, stream: &UnixStream, session: &Session) -> Result<(), Refused> {
    loop {
        session.client.spoken_to().await;
        if session.client.has_lost_events() {
            return Err(Refused::Deaf);
        }
        let octets = session.outgoing();
        match write(cx, stream, &octets).await {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(Refused::Deaf),
            // It has gone.
            Err(_) => return Ok(()),
        }
    }
}

async fn write(cx: &Cx, mut stream: &UnixStream, mut octets: &[u8]) -> io::Result<()> {
    let mut until = cx.now().after(PATIENCE);
    while !octets.is_empty() {
        match stream.write(octets) {
            Ok(length) => {
                octets = &octets[length..];
                until = cx.now().after(PATIENCE);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // A descriptor is said to be ready a little early, too, as when the time is over: the clock decides.
                if cx.now() >= until {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                let _ = cx.until(until, cx.ready(stream, Interest::Writable)).await;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
