/* Gives up its rights as undump does, and tells what it may do after that: "NAME ERRNO" a line,
 * 0 where it may. The argument is a file of another user, or of root. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "undump/rights.h"

static void tell(const char *name, long result)
{
	printf("%s %d\n", name, result < 0 ? errno : 0);
}

int main(int argc, char **argv)
{
	const char *file = argc > 1 ? argv[1] : "/dev/null", *made = "/tmp/rights-probe";
	char *const none[] = {NULL};
	struct stat st;
	struct ud_rights rights = ud_rights_give_up();

	printf("kept %d\n", rights.kept != NULL);
	int fd = open(file, O_RDONLY);
	tell("open-read", fd);
	tell("fstat", fstat(fd, &st));
	tell("map-code",
	     mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	tell("fork", child);
	tell("wait", waitpid(child, NULL, 0));
	tell("open-write", open(file, O_WRONLY));
	tell("open-both", open(file, O_RDWR));
	tell("open-truncate", open(file, O_RDONLY | O_TRUNC));
	tell("create", open(made, O_RDONLY | O_CREAT, 0600));
	tell("unlink", unlink(file));
	tell("rename", rename(file, made));
	tell("chmod", chmod(file, 0777));
	tell("chown", chown(file, 1, 1));
	tell("link", link(file, made));
	tell("mkdir", mkdir(made, 0700));
	tell("execve", execve("/bin/true", none, none));
	tell("socket", socket(AF_INET, SOCK_STREAM, 0));
	tell("kill", kill(getpid(), 0));
	tell("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	tell("unshare", unshare(CLONE_NEWUTS));
	tell("setuid", setuid(0));
	tell("type-ahead", ioctl(0, TIOCSTI, "x"));
	return 0;
}
