//! Tests of the engine's bounds and of its reports of uncaught errors.

mod support;

use std::{collections::BTreeSet, fs};

use host::engine::{Engine, Intrinsics, Parser};
use support::{message, value};

/// Runs a module as an executable does: compiles it, then evaluates it in an engine without a
/// parser.
fn run(source: &str) -> Result<(), String> {
    let bytecode = Engine::start::<Parser>().unwrap().compile("plugin.js", source).unwrap();
    let engine = Engine::start::<Intrinsics>().unwrap();
    // SAFETY: the bytecode was compiled above.
    unsafe { engine.run(&bytecode) }
}

#[test]
fn the_module_has_what_the_contract_declares_and_nothing_else() {
    let contract = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../lib/host.d.ts")).unwrap();
    let declared: BTreeSet<_> = contract
        .lines()
        .filter_map(|line| line.trim().strip_prefix("export function "))
        .map(|rest| rest.split(['(', '<']).next().unwrap())
        .collect();
    assert!(declared.len() > 20);
    let names = value("Object.keys(host).sort()");
    let names: BTreeSet<_> = names
        .trim_matches(['[', ']'])
        .split(',')
        .map(|name| name.trim_matches('"'))
        .collect();
    assert_eq!(names, declared);
}

#[test]
fn json_nested_beyond_the_stack_is_a_range_error() {
    assert_eq!(value("JSON.parse('['.repeat(1000) + ']'.repeat(1000)).length"), "1");
    for depth in [100_000, 1_000_000] {
        let call = format!("JSON.parse('['.repeat({depth}) + ']'.repeat({depth}))");
        assert_eq!(message(&call), "RangeError: Maximum call stack size exceeded");
        let call = format!(r#"JSON.parse('{{"a":'.repeat({depth}) + '1' + '}}'.repeat({depth}))"#);
        assert_eq!(message(&call), "RangeError: Maximum call stack size exceeded");
    }
    let call = "(() => { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return JSON.stringify(a).length; })()";
    assert_eq!(message(call), "RangeError: Maximum call stack size exceeded");
}

#[test]
fn endless_recursion_is_a_range_error() {
    assert_eq!(
        message("(function f() { return f() + 1; })()"),
        "RangeError: Maximum call stack size exceeded"
    );
}

#[test]
fn running_out_of_memory_is_an_error_that_can_be_caught_and_survived() {
    for greedy in [
        "const all = []; for (;;) all.push(new Array(1000).fill(1.5))",
        "const all = []; for (;;) all.push({ a: {}, b: [] })",
        "'x'.repeat(1 << 25)",
        "new Uint8Array(1 << 24)",
        "const map = new Map(); for (let i = 0; ; i++) map.set('key' + i, i)",
        "JSON.parse('[' + '{\"a\":[]},'.repeat(200000) + '0]')",
    ] {
        let call = format!(
            "(() => {{ let caught; try {{ (() => {{ {greedy} }})(); }} catch (error) {{ caught = String(error); }}
               return [caught, JSON.parse(JSON.stringify({{ after: 'x'.repeat(1000) }})).after.length]; }})()"
        );
        let result = value(&call);
        assert_eq!(result, r#"["InternalError: out of memory",1000]"#, "{greedy}");
    }
}

#[test]
fn garbage_in_cycles_does_not_use_up_the_memory() {
    let call =
        "(() => { for (let i = 0; i < 200000; i++) { const a = { pad: [1, 2, 3] }; a.self = a; } return 'done'; })()";
    assert_eq!(value(call), r#""done""#);
}

#[test]
fn there_is_no_eval_in_an_executable() {
    assert!(run("eval('1')").unwrap_err().contains("eval is not supported"));
    assert!(
        run("new Function('return 1')()")
            .unwrap_err()
            .contains("eval is not supported")
    );
}

#[test]
fn regular_expressions_work_in_an_executable() {
    run(
        "const a = /^a(?<x>b+)$/u.exec('abb').groups.x, b = new RegExp('^' + 'a+$').test('aaa');
         if (a !== 'bb' || !b) throw new Error('not so');",
    )
    .unwrap();
}

#[test]
fn an_uncaught_error_tells_where_it_was_thrown_and_its_causes() {
    let source = "import { readFile } from 'host';\n\
        function read() { readFile('/nonexistent'); }\n\
        function load() {\n  try { read(); } catch (cause) { throw new TypeError('cannot load', { cause }); }\n}\n\
        load();\n";
    assert_eq!(
        run(source).unwrap_err(),
        "TypeError: cannot load\n    \
             at load (plugin.js:4:45)\n    \
             at <anonymous> (plugin.js:6:1)\n\
         caused by Error: open /nonexistent: No such file or directory (ENOENT)\n    \
             at read (plugin.js:2:19)\n    \
             at load (plugin.js:4:9)\n    \
             at <anonymous> (plugin.js:6:1)"
    );
}

#[test]
fn whatever_is_thrown_is_reported() {
    assert_eq!(run("throw 'just text'").unwrap_err(), "just text");
    assert_eq!(run("throw { toString: () => 'an object' }").unwrap_err(), "an object");
    assert_eq!(run("throw { toString() { throw 1; } }").unwrap_err(), "?");
    assert_eq!(run("throw undefined").unwrap_err(), "undefined");
}

#[test]
fn promises_are_run_to_their_end() {
    run("await null; await Promise.resolve().then(() => 1);").unwrap();
    assert_eq!(
        run("await new Promise(() => {})").unwrap_err(),
        "a promise is awaited that nothing settles"
    );
    assert_eq!(run("await Promise.reject('refused')").unwrap_err(), "refused");
    assert!(
        run("(async () => { await null; throw new Error('late'); })()")
            .unwrap_err()
            .starts_with("Error: late")
    );
    run("(async () => { throw new Error('handled'); })().catch(() => {})").unwrap();
    run("const refused = Promise.reject(1); Promise.resolve().then(() => refused.catch(() => {}))").unwrap();
}

#[test]
fn the_same_source_compiles_to_the_same_bytecode() {
    let compile = |name| {
        let source = "import * as host from 'host'; export const a = /x/, b = () => { host.exit(1); };";
        Engine::start::<Parser>().unwrap().compile(name, source).unwrap()
    };
    assert_eq!(compile("a.js"), compile("a.js"));
    assert_ne!(compile("a.js"), compile("b.js"));
}

#[test]
fn what_does_not_compile_says_where() {
    let error = Engine::start::<Parser>()
        .unwrap()
        .compile("plugin.js", "let a = 1;\nlet b = ;")
        .unwrap_err();
    assert!(
        error.starts_with("SyntaxError: ") && error.contains("plugin.js:2:9"),
        "{error}"
    );
    let error = Engine::start::<Parser>()
        .unwrap()
        .compile("plugin.js", "import 'node:fs'")
        .unwrap_err();
    assert!(error.contains("node:fs"), "{error}");
}

#[test]
fn an_import_that_the_host_lacks_is_an_error() {
    let error = run("import { nothing } from 'host'; nothing();").unwrap_err();
    assert!(
        error.starts_with("SyntaxError: ") && error.contains("nothing"),
        "{error}"
    );
}

#[test]
fn an_argument_of_the_wrong_type_is_a_type_error() {
    for call in [
        "host.readFile(1)",
        "host.readFile()",
        "host.close('1')",
        "host.send(1, [1, 2])",
        "host.inNetns(0, 1)",
        "host.createTap('a', {})",
        "host.run('/bin/true', {})",
        "host.sleep('long')",
        "host.persistTap(0, { owner: -1, group: 0 })",
    ] {
        let message = message(call);
        assert!(message.starts_with("TypeError: "), "{call}: {message}");
    }
}
