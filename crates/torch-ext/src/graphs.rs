//! A step of many small kernels, recorded once and started as one: CUDA graphs, with the eager step
//! as the fall-back.
//!
//! At the study's batch of 20 a DenseNet-121's step is some two thousand kernels, each of which
//! takes longer to ask for than to compute. A graph asks once (Gray 2019,
//! *Getting Started with CUDA Graphs*; PyTorch's `torch.cuda.CUDAGraph`, whose C++ class this is).
//!
//! What may be recorded: work whose shapes, addresses and host-side numbers are the same each time.
//! It reads its inputs from tensors that the caller overwrites in place, and its outputs are the
//! same tensors each time. It must not ask for a value (that waits for the device) nor draw at
//! random on the host (the draw would be recorded). The first CUDA finds out, and the
//! answer is to go on eagerly; the second only the caller can know: see [`Pass`].

use std::any::Any;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use tch::{no_grad_guard, with_grad};

use crate::panics;
use crate::plugin::{self, PluginError};

/// Eager steps before the recording: libtorch makes its handles and workspaces and cuDNN tries its
/// algorithms in them, none of which can be recorded.
const WARM_UP: u32 = 3;

/// What a call of a step's work is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// To be computed now.
    Eager,
    /// To be recorded. Work that draws at random on the host must panic in it, and says why: the
    /// step then stays eager.
    Recording,
}

/// How a step is computed from here on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Kernel by kernel for the moment; `left` more before the recording.
    WarmingUp {
        /// Steps.
        left: u32,
    },
    /// As one graph.
    Recorded,
    /// Kernel by kernel for good.
    Eager {
        /// Why.
        reason: String,
    },
}

/// What makes recordings. CUDA's is [`CudaRecorder`]; a test has its own.
pub trait Recorder {
    /// A recording; freed when dropped.
    type Recording;

    /// Records what `work` asks of the device, which computes nothing meanwhile.
    ///
    /// # Errors
    /// Why it cannot be recorded; the device is as it was before.
    fn record(&self, work: &mut dyn FnMut()) -> Result<Self::Recording, String>;

    /// Computes what was recorded.
    ///
    /// # Errors
    /// CUDA's own; nothing that follows can be trusted.
    fn replay(&self, recording: &Self::Recording) -> Result<(), PluginError>;
}

/// A step that is taken again and again: eagerly at first, then as a graph if that can be had.
/// `T` is what it leaves on the device.
pub struct Stepper<T, R: Recorder = CudaRecorder> {
    recorder: R,
    how: How,
    recording: Option<R::Recording>,
    /// Of the last step; a graph's stay the same tensors.
    outputs: Option<T>,
}

impl<T> Stepper<T> {
    /// One that will be recorded, on the current device, if the plugin is there.
    pub fn recorded() -> Stepper<T> {
        match plugin::ready() {
            Ok(()) => Stepper::with(CudaRecorder { _one_thread: PhantomData }),
            Err(error) => Stepper::eager(error.to_string()),
        }
    }

    /// One that will not be.
    pub fn eager(reason: impl Into<String>) -> Stepper<T> {
        let mut stepper = Stepper::with(CudaRecorder { _one_thread: PhantomData });
        stepper.how = How::Eager { reason: reason.into() };
        stepper
    }
}

impl<T, R: Recorder> Stepper<T, R> {
    /// Records by `recorder` after the warm-up.
    pub fn with(recorder: R) -> Stepper<T, R> {
        let how = How::WarmingUp { left: WARM_UP };
        Stepper { recorder, how, recording: None, outputs: None }
    }

    /// How the next step is taken, and why.
    pub fn how(&self) -> &How {
        &self.how
    }

    /// Takes the step and gives what it leaves, which the next step overwrites. `work` is not
    /// called where the step is replayed.
    ///
    /// # Errors
    /// Where CUDA fails in a replay. What cannot be recorded is no error: see [`Stepper::how`].
    pub fn run(&mut self, mut work: impl FnMut(Pass) -> T) -> Result<&mut T, PluginError> {
        if let How::WarmingUp { left: 0 } = self.how {
            self.record(&mut work);
        }
        match &self.recording {
            Some(recording) => self.recorder.replay(recording)?,
            None => {
                // The old outputs' memory is given back before new memory is asked for.
                self.outputs = None;
                self.outputs = Some(work(Pass::Eager));
            }
        }
        if let How::WarmingUp { left } = &mut self.how {
            *left -= 1;
        }
        Ok(self.outputs.as_mut().expect("made by this step or by the recording"))
    }

    fn record(&mut self, work: &mut impl FnMut(Pass) -> T) {
        self.outputs = None;
        let mut outputs = None;
        self.how = match self.recorder.record(&mut || outputs = Some(work(Pass::Recording))) {
            Ok(recording) => {
                self.recording = Some(recording);
                self.outputs = outputs;
                How::Recorded
            }
            Err(reason) => How::Eager { reason },
        };
    }
}

/// Records what this thread asks of its current CUDA stream.
pub struct CudaRecorder {
    /// The current stream is a thread's own.
    _one_thread: PhantomData<*const ()>,
}

/// A graph of CUDA's.
pub struct Graph {
    graph: *mut c_void,
}

impl Recorder for CudaRecorder {
    type Recording = Graph;

    fn record(&self, work: &mut dyn FnMut()) -> Result<Graph, String> {
        let plugin = plugin::usable().map_err(|error| error.to_string())?;
        // SAFETY: no memory of ours is involved; the graph is ours until freed or abandoned.
        let graph = plugin::made(|message, size| unsafe { (plugin.graph_begin)(message, size) })
            .map_err(|error| error.to_string())?;
        if let Err(reason) = unless_it_panics(work) {
            // SAFETY: begun above and not used again.
            unsafe { (plugin.graph_abandon)(graph) };
            return Err(reason);
        }
        // SAFETY: begun above.
        match plugin::said(|message, size| unsafe { (plugin.graph_end)(graph, message, size) }) {
            Ok(()) => Ok(Graph { graph }),
            Err(error) => {
                // SAFETY: as above.
                unsafe { (plugin.graph_abandon)(graph) };
                Err(error.to_string())
            }
        }
    }

    fn replay(&self, recording: &Graph) -> Result<(), PluginError> {
        let plugin = plugin::usable()?;
        // SAFETY: ended by `record`, and not freed while it is borrowed.
        plugin::said(|message, size| unsafe {
            (plugin.graph_replay)(recording.graph, message, size)
        })
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        if let Ok(plugin) = plugin::usable() {
            // SAFETY: made by this plugin, and nobody else frees it.
            unsafe { (plugin.graph_free)(self.graph) };
        }
    }
}

/// Does the work, or says why not: an operation that cannot be recorded is an error of libtorch's,
/// hence a panic of tch's, which here is no news for standard error. What follows computes
/// gradients again, whatever the work had switched off when it panicked.
fn unless_it_panics(work: &mut dyn FnMut()) -> Result<(), String> {
    let before = Arc::new(panic::take_hook());
    let (usual, here) = (Arc::clone(&before), thread::current().id());
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() != here {
            usual(info);
        }
    }));
    let restores = no_grad_guard();
    let outcome = catch_unwind(AssertUnwindSafe(|| with_grad(work)));
    drop(restores);
    let _ = panic::take_hook();
    panic::set_hook(Box::new(move |info| before(info)));
    outcome.map_err(|panic| in_words(&*panic))
}

/// The first line of what a panic said.
fn in_words(panic: &(dyn Any + Send)) -> String {
    let text = panics::text(panic).unwrap_or("it panicked");
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tch::{Device, Kind, Tensor, no_grad};

    use super::*;

    #[test]
    fn what_panics_is_told_and_switches_nothing_off() {
        let mut work = || no_grad(|| panic!("not permitted when stream is capturing\nstack"));
        let reason = unless_it_panics(&mut work).unwrap_err();
        assert_eq!(reason, "not permitted when stream is capturing");
        let x = Tensor::ones([1], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        assert!((&x * 2.0).requires_grad(), "gradients stayed off");
        assert!(unless_it_panics(&mut || ()).is_ok());
    }

    /// Keeps what was asked of it; a recording "computes" by calling a closure made beforehand.
    struct Pretend<'a> {
        recordable: Result<(), &'static str>,
        replays: &'a Cell<u32>,
        replay: &'a RefCell<Box<dyn FnMut()>>,
    }

    impl Recorder for Pretend<'_> {
        type Recording = ();

        fn record(&self, work: &mut dyn FnMut()) -> Result<(), String> {
            work();
            self.recordable.map_err(str::to_owned)
        }

        fn replay(&self, (): &()) -> Result<(), PluginError> {
            self.replays.set(self.replays.get() + 1);
            (self.replay.borrow_mut())();
            Ok(())
        }
    }

    /// Ten steps of `y = 2 x` over an input that is overwritten in place; how often `work` was
    /// called and the recording replayed.
    fn ten_steps(recordable: Result<(), &'static str>) -> (u32, u32, How, Vec<f64>) {
        let x = Tensor::zeros([1], (Kind::Float, Device::Cpu));
        let y = Tensor::zeros([1], (Kind::Float, Device::Cpu));
        let step = {
            let (x, y) = (x.shallow_clone(), y.shallow_clone());
            move || no_grad(|| y.shallow_clone().copy_(&(&x * 2.0)))
        };
        let replay = RefCell::new(Box::new(step) as Box<dyn FnMut()>);
        let (replays, mut calls) = (Cell::new(0), 0);
        let recorder = Pretend { recordable, replays: &replays, replay: &replay };
        let mut stepper = Stepper::with(recorder);
        let mut results = Vec::new();
        for i in 0..10 {
            let _ = x.shallow_clone().fill_(f64::from(i));
            let output = stepper
                .run(|_| {
                    calls += 1;
                    no_grad(|| y.shallow_clone().copy_(&(&x * 2.0)));
                    y.shallow_clone()
                })
                .unwrap();
            results.push(output.double_value(&[0]));
        }
        let how = stepper.how().clone();
        (calls, replays.get(), how, results)
    }

    #[test]
    fn a_step_warms_up_is_recorded_once_and_replayed_from_then_on() {
        let (calls, replays, how, results) = ten_steps(Ok(()));
        assert_eq!((calls, replays, how), (WARM_UP + 1, 10 - WARM_UP, How::Recorded));
        assert_eq!(results, (0..10).map(|i| f64::from(i) * 2.0).collect::<Vec<_>>());
    }

    #[test]
    fn what_cannot_be_recorded_goes_on_eagerly_and_says_why() {
        let (calls, replays, how, results) = ten_steps(Err("asks for a value"));
        assert_eq!((calls, replays), (11, 0), "the recording that failed is a call too");
        assert_eq!(how, How::Eager { reason: "asks for a value".into() });
        assert_eq!(results, (0..10).map(|i| f64::from(i) * 2.0).collect::<Vec<_>>());
    }

    #[test]
    fn without_a_plugin_a_step_is_eager_from_the_first() {
        let mut stepper = Stepper::eager("asked for");
        for i in 0..5 {
            assert_eq!(*stepper.run(|_| i).unwrap(), i);
        }
        assert_eq!(*stepper.how(), How::Eager { reason: "asked for".into() });
    }
}
