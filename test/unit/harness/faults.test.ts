import t from "tap";
import { mutationsIn, sampled } from "../../harness/faults.ts";
import { seed } from "../../harness/seed.ts";

const log = `\
openat(AT_FDCWD</root>, "/run/netns/blue", O_RDONLY|O_CLOEXEC) = 3</run/netns/blue>
sendto(4<socket:[1]>, [{nlmsg_len=40, nlmsg_type=0x12 /* NLMSG_??? */, nlmsg_flags=NLM_F_REQUEST}, "..."], 40, 0, NULL, 0) = 40
openat(AT_FDCWD</root>, "/run/x.new", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 5</run/x.new>
write(5</run/x.new>, "{}", 2) = 2
rename("/run/x.new", "/run/x") = 0
write(5</proc/sys/net/ipv6/conf/tap0/disable_ipv6>, "1", 1) = ? ERESTARTNOINTR (To be restarted)
write(5</proc/sys/net/ipv6/conf/tap0/disable_ipv6>, "1", 1) = 1
sendto(4<socket:[1]>, [{nlmsg_len=40, nlmsg_type=0x10 /* NLMSG_??? */, nlmsg_flags=NLM_F_REQUEST}, "..."], 40, 0, NULL, 0) = 40
sendto(4<socket:[1]>, [{nlmsg_len=40, nlmsg_type=RTM_GETROUTE, nlmsg_flags=NLM_F_REQUEST}, "..."], 40, 0, NULL, 0) = 40
sendto(4<socket:[1]>, [{nlmsg_len=40, nlmsg_type=RTM_NEWROUTE, nlmsg_flags=NLM_F_REQUEST}, "..."], 40, 0, NULL, 0) = 40
ioctl(1</dev/pts/0>, TCGETS, 0x7ffd) = -1 ENOTTY (Inappropriate ioctl for device)
ioctl(6</dev/net/tun>, TUNSETIFF, 0x7ffd) = 0
write(1<pipe:[2]>, "{}", 2) = 2
--- SIGCHLD {si_signo=SIGCHLD} ---
+++ exited with 0 +++
`;

t.test("mutations are found, each with its position among the calls of its name", async (t) => {
  t.same(
    mutationsIn(log).map(({ name, nth }) => [name, nth]),
    [
      ["openat", 2],
      ["write", 1],
      ["rename", 1],
      ["write", 2],
      ["sendto", 2],
      ["sendto", 4],
      ["ioctl", 2],
    ],
  );
});

t.test("a netlink message of an unnamed type counts as a change unless it is a GET", async (t) => {
  const change = (type: number): boolean =>
    mutationsIn(`sendto(4, [{nlmsg_type=0x${type.toString(16)} /* NLMSG_??? */, ...`).length === 1;
  const asks = Array.from({ length: 112 }, (_, index) => index + 16).filter((type) => !change(type));
  // RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE and so on (linux/rtnetlink.h).
  t.same(
    asks,
    Array.from({ length: 28 }, (_, index) => 18 + 4 * index),
  );
});

t.test(
  "all points are gone through, or every nth from one that the seed or FAULTS_FROM chooses, as a comment says",
  async (t) => {
    const points = Array.from({ length: 11 }, (_, index) => index);
    const comments: string[] = [];
    const choose = (environment: Readonly<Record<string, string>>): readonly number[] => {
      t.intercept(process, "env", { value: { ...environment } });
      return sampled({ comment: (message) => comments.push(message) }, points);
    };
    t.same(choose({}), points);
    t.same(comments, []);
    t.same(choose({ FAULTS_EVERY: "4", FAULTS_FROM: "3" }), [3, 7]);
    t.same(comments, ["2 of 11 points: FAULTS_EVERY=4 FAULTS_FROM=3"]);
    t.same(
      choose({ FAULTS_EVERY: "4" }),
      points.filter((point) => point % 4 === seed % 4),
      "the seed of the run chooses the first",
    );
  },
);
