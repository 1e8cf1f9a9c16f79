//! A client of the binary API inside the program: messages go through the same octets as over a socket, without one.

use std::{cell::Cell, rc::Rc};

use vnet::{
    api::{Answer, Ask, Call, Client, Dump, FRAME_HEADER, Get, Message, Reader, Wire, Writer},
    plugin::Engine,
};

/// A client of an engine.
pub struct ApiClient<'a> {
    engine: &'a Engine,
    client: Rc<Client>,
    context: Cell<u32>,
}

/// A message of the engine, by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    number: u16,
    octets: Vec<u8>,
}

impl Received {
    /// The message as one of that type, with the two numbers of its header; none when it is another.
    #[must_use]
    pub fn event<M: Message>(&self, client: &ApiClient<'_>) -> Option<(u32, u32, M)> {
        if client.number::<M>() != self.number {
            return None;
        }
        let mut reader = Reader::new(&self.octets);
        let [first, second] = <[u32; 2]>::read(&mut reader).unwrap();
        Some((first, second, whole(reader)))
    }
}

impl Received {
    /// What is behind the number of a message of that type; none when it is another.
    #[must_use]
    pub fn octets_of<M: Message>(&self, client: &ApiClient<'_>) -> Option<&[u8]> {
        (client.number::<M>() == self.number).then_some(&self.octets)
    }
}

impl<'a> ApiClient<'a> {
    /// A new client of `engine`.
    #[must_use]
    pub fn new(engine: &'a Engine) -> Self {
        let client = engine.with(|main| main.api().client());
        Self { engine, client, context: Cell::new(1000) }
    }

    fn number<M: Message>(&self) -> u16 {
        self.engine
            .with(|main| main.api().number(M::DEFINITION.name))
            .expect("the message is in the table")
    }

    /// Sends a request whose own fields are `octets`, and returns all that comes back.
    pub fn send<M: Message>(&self, octets: &[u8]) -> Vec<Received> {
        let (number, table) = (self.number::<M>(), self.engine.with(|main| main.api().clone()));
        self.context.set(self.context.get() + 1);
        let entry = table.entry(number).expect("a number of the table");
        let answer = entry.answer(
            &self.engine.cx(),
            &self.client,
            self.context.get(),
            &mut Reader::new(octets),
        );
        if let Ok(Answer::Later(mut answer)) = answer {
            // A walk waits until the client has taken what it was told.
            let told = Rc::new(Cell::new(Vec::new()));
            let (client, all) = (self.client.clone(), told.clone());
            let done = self.engine.run_until(async move {
                core::future::poll_fn(|cx| {
                    let ready = answer.as_mut().poll(cx);
                    let mut octets = all.take();
                    octets.extend(client.take());
                    all.set(octets);
                    ready
                })
                .await;
            });
            done.expect("the answer comes without time going by");
            return messages(&told.take());
        }
        self.events()
    }

    /// Calls with a request, and returns the reply, or the number of the error.
    ///
    /// # Errors
    /// What is in `retval` when that is not 0.
    pub fn call<M: Call>(&self, request: &M) -> Result<M::Reply, i32> {
        let answers = self.send::<M>(&octets(request));
        let [answer] = answers.as_slice() else { panic!("one reply, not {answers:?}") };
        self.reply::<M>(answer)
    }

    /// Asks for a reply that has no number of an error in front.
    pub fn ask<M: Ask>(&self, request: &M) -> M::Reply {
        let answers = self.send::<M>(&octets(request));
        let [answer] = answers.as_slice() else { panic!("one reply, not {answers:?}") };
        self.details(answer)
    }

    fn reply<M: Call>(&self, answer: &Received) -> Result<M::Reply, i32> {
        assert_eq!(answer.number, self.number::<M::Reply>(), "a reply of another type");
        let mut reader = Reader::new(&answer.octets);
        assert_eq!(
            u32::read(&mut reader),
            Ok(self.context.get()),
            "the context of another request"
        );
        let retval = i32::read(&mut reader).unwrap();
        let reply = whole(reader);
        if retval == 0 { Ok(reply) } else { Err(retval) }
    }

    /// Asks for details.
    pub fn dump<M: Dump>(&self, request: &M) -> Vec<M::Details> {
        self.send::<M>(&octets(request)).iter().map(|answer| self.details(answer)).collect()
    }

    /// Asks for details that end with a reply.
    ///
    /// # Errors
    /// What is in `retval` when that is not 0.
    pub fn get<M: Get>(&self, request: &M) -> Result<(Vec<M::Details>, M::Reply), i32> {
        let mut answers = self.send::<M>(&octets(request));
        let reply = self.reply::<M>(&answers.pop().expect("a reply"))?;
        Ok((answers.iter().map(|answer| self.details(answer)).collect(), reply))
    }

    fn details<D: Message>(&self, answer: &Received) -> D {
        assert_eq!(answer.number, self.number::<D>(), "details of another type");
        let mut reader = Reader::new(&answer.octets);
        if D::DEFINITION.header == vnet::api::Header::DetailsOfClient {
            assert_eq!(u32::read(&mut reader), Ok(self.client.index()));
        }
        assert_eq!(
            u32::read(&mut reader),
            Ok(self.context.get()),
            "the context of another request"
        );
        whole(reader)
    }

    /// What came by itself since it was asked last.
    pub fn events(&self) -> Vec<Received> {
        messages(&self.client.take())
    }
}

fn octets(request: &impl Wire) -> Vec<u8> {
    let mut writer = Writer::default();
    request.write(&mut writer);
    writer.into_bytes()
}

/// What is left to read, which is one message and nothing behind it.
fn whole<M: Message>(mut reader: Reader<'_>) -> M {
    let message = M::read(&mut reader).unwrap();
    assert_eq!(reader.left(), 0, "{} has something behind it", M::DEFINITION.name);
    message
}

fn messages(mut octets: &[u8]) -> Vec<Received> {
    let mut all = Vec::new();
    while !octets.is_empty() {
        let (header, rest) = octets.split_at(FRAME_HEADER);
        assert_eq!((&header[..8], &header[12..]), (&[0; 8][..], &[0; 4][..]));
        let length = u32::from_be_bytes(header[8..12].try_into().unwrap()) as usize;
        let (message, rest) = rest.split_at(length);
        let (number, own) = message.split_at(2);
        all.push(Received {
            number: u16::from_be_bytes([number[0], number[1]]),
            octets: own.to_vec(),
        });
        octets = rest;
    }
    all
}
