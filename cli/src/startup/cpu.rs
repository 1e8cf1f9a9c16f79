//! The stanza `cpu`: how many threads there are, and on which cores.

use std::thread;

use thiserror::Error;

/// What the stanza says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// The core of the main thread.
    pub main_core: Option<usize>,
    /// How many workers.
    pub workers: usize,
    /// The cores of workers, one each.
    pub worker_cores: Vec<usize>,
    /// Cores that `workers` leaves alone, from core 0 on.
    pub skip_cores: usize,
}

/// Why there are no such threads.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CpuError {
    /// Number and list.
    #[error("cpu: `workers' and `corelist-workers' cannot both be given")]
    Both,
    /// Worker and main thread on one core.
    #[error("cpu: core {0} is that of the main thread, and in `corelist-workers'")]
    Main(usize),
    /// Two workers on one core.
    #[error("cpu: core {0} is in `corelist-workers' twice")]
    Twice(usize),
    /// Fewer cores than workers.
    #[error(
        "cpu: {workers} workers need a core each beside main-core {main} and {skip} skipped ones, this machine has {cores}"
    )]
    TooFew {
        /// Workers asked for.
        workers: usize,
        /// The main thread's core.
        main: usize,
        /// Cores left alone.
        skip: usize,
        /// Cores that there are.
        cores: usize,
    },
}

impl Cpu {
    /// The core of each worker. Where neither the main thread nor workers have cores of their own the kernel chooses.
    ///
    /// # Errors
    /// When the stanza contradicts itself, or the machine.
    pub(crate) fn workers(&self) -> Result<Vec<Option<usize>>, CpuError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        self.workers_among(cores)
    }

    fn workers_among(&self, cores: usize) -> Result<Vec<Option<usize>>, CpuError> {
        let Self { main_core, workers, ref worker_cores, skip_cores: skip } = *self;
        if !worker_cores.is_empty() {
            if workers > 0 {
                return Err(CpuError::Both);
            }
            return worker_cores
                .iter()
                .enumerate()
                .map(|(i, core)| match core {
                    core if main_core == Some(*core) => Err(CpuError::Main(*core)),
                    core if worker_cores[..i].contains(core) => Err(CpuError::Twice(*core)),
                    core => Ok(Some(*core)),
                })
                .collect();
        }
        let Some(main) = main_core else { return Ok(vec![None; workers]) };
        let own: Vec<_> =
            (skip..cores).filter(|&core| core != main).take(workers).map(Some).collect();
        if own.len() < workers {
            return Err(CpuError::TooFew { workers, main, skip, cores });
        }
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_have_cores_of_their_own_where_the_main_thread_has() {
        let cpu = |main_core, workers, list: &[usize], skip_cores| Cpu {
            main_core,
            workers,
            worker_cores: list.to_vec(),
            skip_cores,
        };
        let some = |cores: &[usize]| Ok(cores.iter().copied().map(Some).collect::<Vec<_>>());
        for (cpu, expected) in [
            (cpu(None, 0, &[], 0), Ok(vec![])),
            (cpu(None, 2, &[], 0), Ok(vec![None, None])),
            (cpu(Some(1), 2, &[], 0), some(&[0, 2])),
            (cpu(Some(1), 2, &[], 1), some(&[2, 3])),
            (cpu(Some(0), 0, &[3, 2], 0), some(&[3, 2])),
            (cpu(None, 1, &[3], 0), Err(CpuError::Both)),
            (cpu(Some(3), 0, &[2, 3], 0), Err(CpuError::Main(3))),
            (cpu(None, 0, &[2, 2], 0), Err(CpuError::Twice(2))),
            (
                cpu(Some(0), 4, &[], 0),
                Err(CpuError::TooFew { workers: 4, main: 0, skip: 0, cores: 4 }),
            ),
        ] {
            assert_eq!(cpu.workers_among(4), expected, "{cpu:?}");
        }
    }
}
