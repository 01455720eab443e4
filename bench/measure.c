/*
 * Runs a command and prints on descriptor 3 what it used.
 *
 * - nanoseconds from before fork to after exit
 * - microseconds of user time and of system time
 * - peak resident memory in KiB
 * - the exit status
 *
 * CPU time and memory include the children that the command waited for.
 *
 * This is a small C program because of vfork: a child's peak memory starts at its parent's. A
 * runner of 10 MB would hide every smaller peak.
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long microseconds(struct timeval time) { return time.tv_sec * 1000000LL + time.tv_usec; }

int main(int argc, char **argv) {
  struct timespec start, end;
  struct rusage usage;
  pid_t child;
  int status;
  posix_spawn_file_actions_t actions;

  if (argc < 2) return 2;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addclose(&actions, 3);
  clock_gettime(CLOCK_MONOTONIC, &start);
  if (posix_spawn(&child, argv[1], &actions, NULL, argv + 1, environ) != 0) return 127;
  if (wait4(child, &status, 0, &usage) != child) return 126;
  clock_gettime(CLOCK_MONOTONIC, &end);
  dprintf(3, "%lld %lld %lld %ld %d\n", (end.tv_sec - start.tv_sec) * 1000000000LL + end.tv_nsec - start.tv_nsec,
          microseconds(usage.ru_utime), microseconds(usage.ru_stime), usage.ru_maxrss,
          WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return 0;
}
