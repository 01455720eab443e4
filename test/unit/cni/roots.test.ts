import t from "tap";
import { belowDeviceInfo, roots, setRoots } from "../../../lib/cni/roots.ts";

const compiledIn = roots();
t.afterEach(() => setRoots("{}"));

t.test("a root that the file names replaces the compiled-in one, and the others stay", async (t) => {
  setRoots('{ "state": "/var/lib/cni" }');
  t.same(roots(), { ...compiledIn, state: "/var/lib/cni" });
  setRoots("{}");
  t.same(roots(), compiledIn);
});

t.test("a file that names no root is refused by its field, and changes nothing", async (t) => {
  for (const [text, msg] of [
    ["", /: Unexpected end/],
    ["[]", /: is not an object/],
    ["null", /: is not an object/],
    ['{ "stat": "/run" }', /: unknown field "stat"/],
    ['{ "toString": "/run" }', /: unknown field "toString"/],
    ['{ "state": 7 }', /: state: must be an absolute path of a directory, not 7/],
    ...["", "/", "run", "./run", "/run/", "//run", "/run//x", "/run/../etc", "/run/.", "/..", "/run/x\0"].map(
      (path) => [JSON.stringify({ state: path }), /: state: must be an absolute path/] as const,
    ),
  ] as const) {
    t.throws(() => setRoots(text), { code: 7, message: msg }, text);
    t.same(roots(), compiledIn);
  }
});

t.test("only a file below the root of device information is one", async (t) => {
  const root = "/var/run/k8s.cni.cncf.io/devinfo";
  t.equal(belowDeviceInfo(`${root}/cni/x.json`), "cni/x.json");
  t.equal(belowDeviceInfo("/run/k8s.cni.cncf.io/devinfo/x"), "x");
  for (const path of [
    root,
    `${root}/`,
    `${root}/x/`,
    `${root}/../x`,
    `${root}/x/../../../y`,
    `${root}/x/./y`,
    `${root}//x`,
    `${root}-x/y`,
    "/etc/passwd",
    "x",
    "",
  ])
    t.equal(belowDeviceInfo(path), undefined, path);
});
