//! The module "host": the JavaScript side of every call, as `lib/host.d.ts` declares it.

use std::{
    ffi::CStr,
    mem::MaybeUninit,
    os::fd::{BorrowedFd, IntoRawFd, OwnedFd, RawFd},
    slice,
    time::Duration,
};

use rquickjs::{
    Ctx, Error, Exception, FromJs, Function, IntoJs, Object, Result, TypedArray, Value,
    function::{FromParam, IntoJsFunc, ParamRequirement, Params, ParamsAccessor},
    module::{Declarations, Exports, ModuleDef},
    prelude::{Func, Opt},
};
use rustix::io::Errno;

use crate::{
    calls::{
        children::{self, Run},
        confinement, directories, executables,
        files::{self, Place, Stat},
        labelled_tap, locks, namespaces, netlink, process, taps,
    },
    error::{self, HostError},
    freezing,
    text::Text,
};

/// Default limit of `readFile`, in bytes.
const FILE_LIMIT: f64 = 1024.0 * 1024.0;

/// The global variable that holds the function that the plugin passed to `main`.
pub(crate) const MAIN: &str = "main";

/// The module.
pub struct HostModule;

macro_rules! exports {
    ($($name:literal: $function:expr,)*) => {
        impl ModuleDef for HostModule {
            fn declare(module: &Declarations<'_>) -> Result<()> {
                module.declare_c_str(c"main")?;
                $(module.declare_c_str($name)?;)*
                Ok(())
            }

            fn evaluate<'js>(_: &Ctx<'js>, module: &Exports<'js>) -> Result<()> {
                module.export_c_str(c"main", Func::from(main))?;
                $(module.export_c_str($name, Func::from(Effect { name: $name, call: $function }))?;)*
                Ok(())
            }
        }
    };
}

exports! {
    c"args": || Outcome(process::args()),
    c"env": env,
    c"pid": process::pid,
    c"readStdin": |limit: f64| Outcome(process::read_stdin(limit as usize)),
    c"writeStdout": |text: Text| Outcome(process::write_stdout(&text)),
    c"writeStderr": |text: Text| process::write_stderr(&text),
    c"isTerminal": |fd: Descriptor| fd.borrow("isatty").is_ok_and(process::is_terminal),
    c"awaitEnd": |timeout: Milliseconds| Outcome(process::await_end(timeout.0)),
    c"machine": executables::machine,
    c"exit": |status: i32| -> () { process::exit(status) },
    c"ignoreSignals": process::ignore_signals,
    c"confine": |directories: Vec<Text>, files: Vec<Text>| confinement::confine(&directories, &files),
    c"monotonic": process::monotonic,
    c"time": process::time,
    c"sleep": |time: Milliseconds| process::sleep(time.0),
    c"random": || Outcome(process::random().map(f64::from)),
    c"sha256": |text: Text| Outcome(process::sha256(&text)),

    c"stat": stat,
    c"statIfThere": stat_if_there,
    c"checkWritable": |path: Text| Outcome(files::check_writable(&path)),
    c"readFile": read_file,
    c"readFileIfThere": read_file_if_there,
    c"writeFile": |path: Text, text: Text| Outcome(files::write(&path, &text)),
    c"createFile": |ctx, path: Text, text: Text, options| at(&ctx, &path, &options, |place| files::create(place, &text)),
    c"appendFile": |ctx, path: Text, text: Text, options| at(&ctx, &path, &options, |place| files::append(place, &text)),
    c"copyFile": |from: Text, to: Text, mode: u32| Outcome(files::copy(&from, &to, mode)),
    c"sameContent": |one: Text, other: Text| Outcome(files::same_content(&one, &other)),
    c"sync": |path: Text| Outcome(files::sync(&path)),
    c"identify": identify,
    c"rename": |ctx, from: Text, to: Text, options| at(&ctx, &from, &options, |place| files::rename(place, &to)),
    c"unlink": |ctx, path: Text, options| at(&ctx, &path, &options, files::unlink),
    c"unlinkIfThere": |ctx, path: Text, options| if_there(&ctx, &path, &options, files::unlink).map(drop),
    c"makeDirectory": |path: Text| Outcome(files::make_directory(&path)),
    c"removeDirectory": |ctx, path: Text, options| at(&ctx, &path, &options, files::remove_directory),
    c"openDirectory": open_directory,
    c"openDirectoryIfThere": open_directory_if_there,
    c"readDirectory": |path: Text| Outcome(files::read_directory(&path)),
    c"readOpenDirectory": |fd: Descriptor| Outcome(fd.borrow("getdents64").and_then(files::read_open_directory)),
    c"createLink": |ctx, path: Text, target: Text, options| at(&ctx, &path, &options, |place| files::create_link(place, &target)),
    c"readLink": |ctx, path: Text, options| at(&ctx, &path, &options, files::read_link),
    c"readLinkIfThere": |ctx, path: Text, options| if_there(&ctx, &path, &options, files::read_link),
    c"close": |fd: Descriptor| Outcome(files::close(fd.0)),
    c"lock": lock,

    c"openNetns": |path: Text| Outcome(namespaces::open_netns(&path).map(Descriptor::from)),
    c"inNetns": in_netns,
    c"netnsOwner": |fd: Descriptor| Outcome(fd.borrow("ioctl").and_then(namespaces::owner).map(|inode| inode as f64)),

    c"netlinkSocket": |protocol: u32| Outcome(netlink::socket(protocol).map(Descriptor::from)),
    c"send": send,
    c"receive": receive,
    c"netnsCookie": |fd: Descriptor| Outcome(
        fd.borrow("getsockopt").and_then(netlink::netns_cookie).map(|cookie| cookie.to_string())
    ),

    c"createTap": create_tap,
    c"persistTap": persist_tap,

    c"run": run,
}

fn main<'js>(ctx: Ctx<'js>, run: Function<'js>) -> Result<()> {
    ctx.globals().set(MAIN, run)
}

fn env(ctx: Ctx<'_>) -> Result<Object<'_>> {
    let object = Object::new(ctx)?;
    for (name, value) in process::env() {
        object.set(name, value)?;
    }
    Ok(object)
}

/// Makes a call on a path, or on an entry of the directory that the option `in` names.
fn at<T>(
    ctx: &Ctx<'_>,
    path: &Text,
    options: &Options<'_>,
    call: impl FnOnce(Place<'_>) -> error::Result<T>,
) -> Result<T> {
    attempt(ctx, path, options, call)?.or_throw(ctx)
}

/// The same, but None if the file is missing: an error costs the engine more than the system call.
fn if_there<T>(
    ctx: &Ctx<'_>,
    path: &Text,
    options: &Options<'_>,
    call: impl FnOnce(Place<'_>) -> error::Result<T>,
) -> Result<Option<T>> {
    match attempt(ctx, path, options, call)? {
        Err(failure) if failure.errno == Errno::NOENT => Ok(None),
        outcome => outcome.or_throw(ctx).map(Some),
    }
}

fn attempt<T>(
    ctx: &Ctx<'_>,
    path: &Text,
    options: &Options<'_>,
    call: impl FnOnce(Place<'_>) -> error::Result<T>,
) -> Result<error::Result<T>> {
    let directory: Option<Descriptor> = options.get("in")?;
    let directory = directory
        .as_ref()
        .map(|fd| fd.borrow("openat"))
        .transpose()
        .or_throw(ctx)?;
    Ok(call(Place { directory, path }))
}

fn open_directory(ctx: Ctx<'_>, path: Text, options: Options<'_>) -> Result<Descriptor> {
    let create = options.get("create")?.unwrap_or(false);
    at(&ctx, &path, &options, |place| directories::open(place, create)).map(Descriptor::from)
}

fn open_directory_if_there(ctx: Ctx<'_>, path: Text, options: Options<'_>) -> Result<Option<Descriptor>> {
    let opened = if_there(&ctx, &path, &options, |place| directories::open(place, false))?;
    Ok(opened.map(Descriptor::from))
}

fn lock(ctx: Ctx<'_>, path: Text, timeout: Milliseconds, options: Options<'_>) -> Result<Descriptor> {
    let offset = options.get::<f64>("at")?.unwrap_or(0.0);
    at(&ctx, &path, &options, |place| match place.directory {
        Some(directory) => locks::lock_byte(directory, place.path, offset as u64, timeout.0),
        None => locks::lock(place.path, timeout.0),
    })
    .map(Descriptor::from)
}

fn stat<'js>(ctx: Ctx<'js>, path: Text, options: Options<'js>) -> Result<Object<'js>> {
    let follow = options.get("follow")?.unwrap_or(true);
    at(&ctx, &path, &options, |place| files::stat(place, follow)).and_then(|stat| described(ctx, &stat))
}

fn stat_if_there<'js>(ctx: Ctx<'js>, path: Text, options: Options<'js>) -> Result<Option<Object<'js>>> {
    let follow = options.get("follow")?.unwrap_or(true);
    let stat = if_there(&ctx, &path, &options, |place| files::stat(place, follow))?;
    stat.map(|stat| described(ctx, &stat)).transpose()
}

fn described<'js>(ctx: Ctx<'js>, stat: &Stat) -> Result<Object<'js>> {
    let object = Object::new(ctx)?;
    object.set("device", stat.device as f64)?;
    object.set("inode", stat.inode as f64)?;
    object.set("kind", stat.kind)?;
    object.set("mode", stat.mode)?;
    object.set("uid", stat.uid)?;
    object.set("changed", stat.changed)?;
    Ok(object)
}

fn identify<'js>(ctx: Ctx<'js>, path: Text) -> Result<Option<Object<'js>>> {
    let Some(executable) = executables::identify(&path).or_throw(&ctx)? else {
        return Ok(None);
    };
    let object = Object::new(ctx)?;
    object.set("machine", executable.machine)?;
    object.set("label", executable.label)?;
    Ok(Some(object))
}

fn read_file(ctx: Ctx<'_>, path: Text, options: Options<'_>) -> Result<String> {
    let (limit, follow) = reading(&options)?;
    at(&ctx, &path, &options, |place| files::read(place, limit, follow))
}

fn read_file_if_there(ctx: Ctx<'_>, path: Text, options: Options<'_>) -> Result<Option<String>> {
    let (limit, follow) = reading(&options)?;
    if_there(&ctx, &path, &options, |place| files::read(place, limit, follow))
}

/// The options of `readFile`: `limit` and `follow`.
fn reading(options: &Options<'_>) -> Result<(usize, bool)> {
    let limit = options.get("limit")?.unwrap_or(FILE_LIMIT);
    Ok((limit as usize, options.get("follow")?.unwrap_or(true)))
}

fn in_netns<'js>(ctx: Ctx<'js>, fd: Descriptor, callback: Function<'js>) -> Result<Value<'js>> {
    let netns = fd.borrow("setns").or_throw(&ctx)?;
    namespaces::inside(netns, || callback.call(())).or_throw(&ctx)?
}

fn send<'js>(ctx: Ctx<'js>, fd: Descriptor, datagram: TypedArray<'js, u8>) -> Result<()> {
    let socket = fd.borrow("send").or_throw(&ctx)?;
    // SAFETY: no JavaScript runs while the bytes are borrowed.
    let bytes = unsafe { datagram.as_bytes() };
    bytes
        .ok_or(HostError::new(Errno::FAULT, "send"))
        .and_then(|bytes| netlink::send(socket, bytes))
        .or_throw(&ctx)
}

fn receive<'js>(ctx: Ctx<'js>, fd: Descriptor) -> Result<TypedArray<'js, u8>> {
    let mut buffer = [MaybeUninit::uninit(); netlink::LONGEST];
    let datagram = fd
        .borrow("recvfrom")
        .and_then(|socket| netlink::receive(socket, &mut buffer))
        .or_throw(&ctx)?;
    TypedArray::new_copy(ctx, datagram)
}

fn create_tap(ctx: Ctx<'_>, name: Text, options: Object<'_>) -> Result<Descriptor> {
    let multi_queue = options.get("multiQueue")?;
    let tap = match options.get::<_, Option<Text>>("selinuxContext")? {
        Some(context) => labelled_tap::create(&name, multi_queue, &context),
        None => taps::create(&name, multi_queue),
    };
    tap.map(Descriptor::from).or_throw(&ctx)
}

fn persist_tap(ctx: Ctx<'_>, fd: Descriptor, options: Object<'_>) -> Result<()> {
    let (owner, group) = (options.get("owner")?, options.get("group")?);
    fd.borrow("ioctl")
        .and_then(|tap| taps::persist(tap, owner, group))
        .or_throw(&ctx)
}

fn run<'js>(ctx: Ctx<'js>, path: Text, options: Object<'js>) -> Result<Object<'js>> {
    let env: Object = options.get("env")?;
    let request = Run {
        args: options.get::<_, Option<Vec<Text>>>("args")?.unwrap_or_default(),
        env: env
            .props::<rquickjs::String, Text>()
            .map(|entry| entry.and_then(named))
            .collect::<Result<_>>()?,
        stdin: options.get("stdin")?,
        timeout: options.get::<_, Milliseconds>("timeout")?.0,
    };
    let outcome = children::run(&path, &request).or_throw(&ctx)?;
    let object = Object::new(ctx)?;
    object.set("status", outcome.status)?;
    if let Some(signal) = outcome.signal {
        object.set("signal", signal)?;
    }
    object.set("stdout", outcome.stdout)?;
    Ok(object)
}

/// Converts an entry of an object: its name becomes text.
fn named<'js>((name, value): (rquickjs::String<'js>, Text)) -> Result<(Text, Text)> {
    Ok((Text::from_js(&name.ctx().clone(), name.into_value())?, value))
}

/// A call that is refused while a plugin is frozen.
///
/// Its effect would be on the machine that builds, and its result would be the same in every
/// process.
struct Effect<F> {
    name: &'static CStr,
    call: F,
}

impl<'js, P, F: IntoJsFunc<'js, P>> IntoJsFunc<'js, P> for Effect<F> {
    fn param_requirements() -> ParamRequirement {
        F::param_requirements()
    }

    fn call(&self, params: Params<'_, 'js>) -> Result<Value<'js>> {
        if freezing::is_freezing() {
            let name = self.name.to_string_lossy();
            let message = format!("{name}: called while the executable is built, expected inside main");
            return Err(Exception::throw_message(params.ctx(), &message));
        }
        self.call.call(params)
    }
}

/// The outcome of a call: its value, or the `HostError` to throw.
struct Outcome<T>(error::Result<T>);

impl<'js, T: IntoJs<'js>> IntoJs<'js> for Outcome<T> {
    fn into_js(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        self.0.or_throw(ctx)?.into_js(ctx)
    }
}

/// Turns a failed call into a thrown JavaScript error.
trait OrThrow<T> {
    fn or_throw(self, ctx: &Ctx<'_>) -> Result<T>;
}

impl<T> OrThrow<T> for error::Result<T> {
    fn or_throw(self, ctx: &Ctx<'_>) -> Result<T> {
        self.map_err(|failure| thrown(ctx, &failure).unwrap_or_else(|error| error))
    }
}

fn thrown(ctx: &Ctx<'_>, failure: &HostError) -> Result<Error> {
    let exception = Exception::from_message(ctx.clone(), &failure.to_string())?;
    let error = exception.as_object();
    error.set("code", failure.code())?;
    error.set("syscall", failure.syscall)?;
    if let Some(path) = &failure.path {
        error.set("path", path.as_str())?;
    }
    Ok(exception.throw())
}

impl<'js> FromJs<'js> for Text {
    fn from_js(ctx: &Ctx<'js>, value: Value<'js>) -> Result<Self> {
        let text = rquickjs::String::from_js(ctx, value)?.to_cstring()?;
        // SAFETY: the engine keeps that many bytes there for as long as `text` lives. Despite the
        // documentation of `CString::as_str`, they may be invalid UTF-8: a lone surrogate becomes
        // three invalid bytes.
        Ok(unsafe { slice::from_raw_parts(text.as_ptr().cast::<u8>(), text.len()) }.into())
    }
}

/// A file descriptor as its number.
struct Descriptor(RawFd);

impl Descriptor {
    /// Returns the descriptor for one system call, which detects a closed one. EBADF if the number
    /// is negative.
    fn borrow(&self, syscall: &'static str) -> error::Result<BorrowedFd<'_>> {
        if self.0 < 0 {
            return Err(HostError::new(Errno::BADF, syscall));
        }
        // SAFETY: the number is not -1. If the descriptor is not open, the one system call that
        // uses it fails with EBADF.
        Ok(unsafe { BorrowedFd::borrow_raw(self.0) })
    }
}

impl From<OwnedFd> for Descriptor {
    fn from(fd: OwnedFd) -> Self {
        Self(fd.into_raw_fd())
    }
}

impl<'js> FromJs<'js> for Descriptor {
    fn from_js(ctx: &Ctx<'js>, value: Value<'js>) -> Result<Self> {
        RawFd::from_js(ctx, value).map(Self)
    }
}

impl<'js> IntoJs<'js> for Descriptor {
    fn into_js(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        self.0.into_js(ctx)
    }
}

/// A duration in milliseconds. A negative number or NaN counts as 0, and the maximum is one year.
struct Milliseconds(Duration);

impl<'js> FromJs<'js> for Milliseconds {
    fn from_js(ctx: &Ctx<'js>, value: Value<'js>) -> Result<Self> {
        const YEAR: f64 = 365.0 * 24.0 * 3600.0;
        // If one operand is NaN, `max` returns the other one.
        let seconds = (f64::from_js(ctx, value)? / 1e3).max(0.0);
        Ok(Self(Duration::from_secs_f64(seconds.min(YEAR))))
    }
}

/// An optional last argument. Its fields are optional, too.
struct Options<'js>(Option<Object<'js>>);

impl<'js> Options<'js> {
    fn get<T: FromJs<'js>>(&self, name: &str) -> Result<Option<T>> {
        self.0.as_ref().map_or(Ok(None), |object| object.get(name))
    }
}

impl<'js> FromParam<'js> for Options<'js> {
    fn param_requirement() -> ParamRequirement {
        ParamRequirement::optional()
    }

    fn from_param(params: &mut ParamsAccessor<'_, 'js>) -> Result<Self> {
        Opt::<Option<Object>>::from_param(params).map(|options| Self(options.0.flatten()))
    }
}
