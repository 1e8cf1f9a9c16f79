//! VPP's structure for IPv4, a 16-8-8 trie, to measure against.

use vnet::fib::{FRAME, LoadBalanceIndex};

use crate::{AHEAD, prefetch};

/// 64 Ki words, then 256 a level. A word is a route, or marked and the number of a ply.
pub(crate) struct Trie {
    root: Vec<u32>,
    plies: Vec<[u32; 256]>,
}

const PLY: u32 = 1 << 31;

impl Trie {
    /// The routes come shortest first.
    pub(crate) fn new(routes: &[(u32, u8, u32)]) -> Self {
        let mut trie = Self { root: vec![0; 1 << 16], plies: Vec::new() };
        for &(address, len, route) in routes {
            let first = (address >> 16) as usize;
            if len <= 16 {
                trie.root[first..first + (1 << (16 - len))].fill(route);
                continue;
            }
            let mut ply = trie.root[first];
            if ply & PLY == 0 {
                ply = trie.add(ply);
                trie.root[first] = ply;
            }
            let second = (address >> 8 & 0xff) as usize;
            if len <= 24 {
                trie.plies[(ply & !PLY) as usize][second..second + (1 << (24 - len))].fill(route);
                continue;
            }
            let mut last = trie.plies[(ply & !PLY) as usize][second];
            if last & PLY == 0 {
                last = trie.add(last);
                trie.plies[(ply & !PLY) as usize][second] = last;
            }
            let third = (address & 0xff) as usize;
            trie.plies[(last & !PLY) as usize][third..third + (1 << (32 - len))].fill(route);
        }
        trie
    }

    fn add(&mut self, word: u32) -> u32 {
        self.plies.push([word; 256]);
        (self.plies.len() - 1) as u32 | PLY
    }

    fn place(&self, word: u32, byte: u32) -> &u32 {
        &self.plies[(word & !PLY) as usize][(byte & 0xff) as usize]
    }

    pub(crate) fn lookup_one(&self, address: u32) -> LoadBalanceIndex {
        let mut word = self.root[(address >> 16) as usize];
        if word & PLY != 0 {
            word = *self.place(word, address >> 8);
        }
        if word & PLY != 0 {
            word = *self.place(word, address);
        }
        LoadBalanceIndex(word)
    }

    pub(crate) fn lookup(&self, dst: &[u32; FRAME], out: &mut [LoadBalanceIndex; FRAME]) {
        for (route, &address) in out.iter_mut().zip(dst) {
            *route = LoadBalanceIndex(self.root[(address >> 16) as usize]);
        }
        for shift in [8, 0] {
            for ahead in 0..FRAME + AHEAD {
                if let Some(&route) = out.get(ahead)
                    && route.0 & PLY != 0
                {
                    prefetch(self.place(route.0, dst[ahead] >> shift));
                }
                if let Some(i) = ahead.checked_sub(AHEAD)
                    && out[i].0 & PLY != 0
                {
                    out[i] = LoadBalanceIndex(*self.place(out[i].0, dst[i] >> shift));
                }
            }
        }
    }
}
