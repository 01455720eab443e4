//! The JavaScript engine: sets it up for one short run within fixed bounds, and describes uncaught
//! errors.

use std::{cell::RefCell, fmt::Write, rc::Rc, result};

use rquickjs::{
    CatchResultExt, CaughtError, Coerced, Context, Ctx, Error, FromJs, Function, Module, Result, Runtime, Value,
    WriteOptions,
    allocator::Allocator,
    context::{
        Intrinsic,
        intrinsic::{Eval, Json, MapSet, Promise, RegExp, RegExpCompiler, TypedArrays},
    },
    module::Declared,
    qjs,
};
use rustix::process::{Resource, getrlimit};

use crate::{
    arena::Arena,
    module::{HostModule, MAIN},
};

/// The JavaScript that a plugin has in addition to the base objects: no `eval`, `Date`, `Proxy` or
/// `WeakRef`.
///
/// Each of these costs microseconds at every start. Modules need promises.
pub type Intrinsics = (Json, MapSet, Promise, RegExp, TypedArrays);

/// What compiling source needs: the parser, and the compiler for regular expression literals.
pub type Parser = (Intrinsics, Eval, RegExpCompiler);

/// Size of the engine's stack in bytes. The engine uses half of the process's own stack if that is
/// less. JSON that is nested too deeply for it causes a RangeError.
const STACK: u64 = 1024 * 1024;

/// Garbage in cycles is collected only after this many bytes are allocated. A plugin exits long
/// before.
const COLLECTION_THRESHOLD: usize = 8 * 1024 * 1024;

/// The engine, with the module "host" ready to be imported.
pub struct Engine {
    context: Context,
    /// Rejections that are not handled yet, as text for a log.
    rejections: Rc<RefCell<Vec<String>>>,
}

impl Engine {
    /// Starts an engine with these intrinsics, in an arena of its own.
    pub fn start<I: Intrinsic>() -> Result<Self> {
        Self::start_in::<I>(Arena::new().map_err(|_| Error::Allocation)?)
    }

    /// Starts an engine with these intrinsics, in this memory.
    pub fn start_in<I: Intrinsic>(memory: impl Allocator + 'static) -> Result<Self> {
        let runtime = Runtime::new_with_alloc(memory)?;
        runtime.set_max_stack_size(stack_size());
        runtime.set_gc_threshold(COLLECTION_THRESHOLD);
        let rejections = Rc::new(RefCell::new(Vec::new()));
        let tracked = rejections.clone();
        runtime.set_host_promise_rejection_tracker(Some(Box::new(move |ctx, _, reason, handled| {
            let mut rejections = tracked.borrow_mut();
            if handled {
                // The removed text may belong to another promise. Only the count matters: one text
                // for each unhandled promise.
                rejections.pop();
            } else {
                rejections.push(describe(&ctx, reason));
            }
        })));
        let context = Context::custom::<I>(&runtime)?;
        context.with(|ctx| Module::declare_def::<HostModule, _>(ctx, "host").map(drop))?;
        Ok(Self { context, rejections })
    }

    /// Runs a module's bytecode to its end. The error is the uncaught JavaScript error, as text for
    /// a log.
    ///
    /// # Safety
    ///
    /// The bytecode must come from `compile` of this same version: the engine does not verify it.
    pub unsafe fn run(&self, bytecode: &[u8]) -> result::Result<(), String> {
        // SAFETY: the caller of this function fulfils the same condition.
        self.finish(|ctx| unsafe { Module::load(ctx, bytecode) })
    }

    /// Runs a module's source to its end, and fails like [`Engine::run`]. Needs the `Parser`.
    pub fn evaluate(&self, name: &str, source: &str) -> result::Result<(), String> {
        self.finish(|ctx| Module::declare(ctx, name, source))
    }

    /// Compiles a module to bytecode. Drops the source but keeps lines and columns. Needs the
    /// `Parser`.
    pub fn compile(&self, name: &str, source: &str) -> result::Result<Vec<u8>, String> {
        let options = || WriteOptions {
            strip_source: true,
            ..WriteOptions::default()
        };
        self.attempt(|ctx| Module::declare(ctx.clone(), name, source)?.write(options()))
    }

    /// Calls the function that the module passed to `main`. Does nothing if the module did not call
    /// `main`.
    ///
    /// The engine may have been started in another process, and its memory restored in this one.
    pub fn run_main(&self) -> result::Result<(), String> {
        self.context.runtime().set_max_stack_size(stack_size());
        // SAFETY: the runtime belongs to this engine. It still holds the stack position from when
        // the engine started.
        unsafe { qjs::JS_UpdateStackTop(qjs::JS_GetRuntime(self.context.as_raw().as_ptr())) };
        self.attempt(|ctx| {
            let main = ctx.globals().get::<_, Option<Function<'_>>>(MAIN)?;
            main.map_or(Ok(()), |main| main.call(()))?;
            while ctx.execute_pending_job() {}
            Ok(())
        })?;
        self.rejections.borrow_mut().pop().map_or(Ok(()), Err)
    }

    /// Calls a function with the engine's context.
    pub fn with<T>(&self, look: impl FnOnce(Ctx<'_>) -> T) -> T {
        self.context.with(look)
    }

    fn finish<F>(&self, module: F) -> result::Result<(), String>
    where
        F: for<'js> FnOnce(Ctx<'js>) -> Result<Module<'js, Declared>>,
    {
        self.attempt(|ctx| {
            let (_, evaluation) = module(ctx.clone())?.eval()?;
            evaluation.finish::<()>()?;
            while ctx.execute_pending_job() {}
            Ok(())
        })?;
        self.rejections.borrow_mut().pop().map_or(Ok(()), Err)
    }

    fn attempt<T>(&self, act: impl FnOnce(&Ctx<'_>) -> Result<T>) -> result::Result<T, String> {
        self.context.with(|ctx| {
            act(&ctx).catch(&ctx).map_err(|caught| match caught {
                CaughtError::Exception(exception) => describe(&ctx, exception.into_object().into_value()),
                CaughtError::Value(value) => describe(&ctx, value),
                CaughtError::Error(Error::WouldBlock) => "a promise is awaited that nothing settles".into(),
                CaughtError::Error(error) => error.to_string(),
            })
        })
    }
}

fn stack_size() -> usize {
    let limit = getrlimit(Resource::Stack).current;
    limit.map_or(STACK, |limit| STACK.min(limit / 2)) as usize
}

/// Describes a thrown value for a log: the error, where it was thrown, and the same for each of its
/// causes.
fn describe<'js>(ctx: &Ctx<'js>, thrown: Value<'js>) -> String {
    // If there is no memory for an error, the engine throws null.
    if thrown.is_null() {
        return "out of memory".into();
    }
    let text = |value: Value<'js>| Coerced::<String>::from_js(ctx, value).map_or_else(|_| "?".into(), |text| text.0);
    let mut log = String::new();
    let mut next = Some(thrown);
    while let Some(error) = next.take() {
        let object = error.as_object().filter(|object| object.is_error()).cloned();
        // Writing to a string does not fail.
        let _ = write!(
            log,
            "{}{}",
            if log.is_empty() { "" } else { "\ncaused by " },
            text(error)
        );
        if let Some(object) = object {
            let stack = object
                .get::<_, Coerced<String>>("stack")
                .map_or_else(|_| String::new(), |stack| stack.0);
            let _ = write!(log, "\n{}", stack.trim_end());
            next = object.get::<_, Option<Value<'js>>>("cause").ok().flatten();
        }
    }
    log
}
