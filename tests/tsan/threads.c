/* SPDX-License-Identifier: Apache-2.0 */

/* C11 threads as ThreadSanitizer can see them.
 *
 * Its runtime follows the functions of pthread.h. It does not know those of threads.h, which
 * librdkafka uses: a thread that thrd_create() of glibc starts has no state in the runtime, and the
 * first thing it does ends the process. This library stands before glibc in each program of a build
 * for ThreadSanitizer and does with pthreads what librdkafka asks for. As in glibc a thrd_t is a
 * pthread_t and an mtx_t has room for a pthread_mutex_t, and so on. A function of pthread.h that
 * the runtime of gcc 12 has missed is here too. */

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

_Static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t), "a mutex has room");
_Static_assert(sizeof(cnd_t) >= sizeof(pthread_cond_t), "a condition has room");
_Static_assert(sizeof(once_flag) >= sizeof(pthread_once_t), "a once flag has room");

static int result_of(int err)
{
	switch (err) {
	case 0:
		return thrd_success;
	case EBUSY:
		return thrd_busy;
	case ENOMEM:
		return thrd_nomem;
	case ETIMEDOUT:
		return thrd_timedout;
	default:
		return thrd_error;
	}
}

/* --- threads --- */

struct start {
	thrd_start_t run;
	void *arg;
};

static void *run(void *arg)
{
	struct start s = *(struct start *)arg;

	free(arg);
	return (void *)(intptr_t)s.run(s.arg);
}

int thrd_create(thrd_t *thread, thrd_start_t function, void *arg)
{
	struct start *s = malloc(sizeof(*s));

	if (s == NULL)
		return thrd_nomem;
	*s = (struct start){function, arg};
	int err = pthread_create(thread, NULL, run, s);
	if (err != 0)
		free(s);
	return result_of(err);
}

int thrd_join(thrd_t thread, int *result)
{
	void *value = NULL;
	int err = pthread_join(thread, &value);

	if (result != NULL)
		*result = (int)(intptr_t)value;
	return result_of(err);
}

/* The runtime follows the one that takes the time of day. */
int pthread_clockjoin_np(pthread_t thread, void **result, clockid_t clock,
			 const struct timespec *until)
{
	struct timespec now, wall;

	clock_gettime(clock, &now);
	clock_gettime(CLOCK_REALTIME, &wall);
	wall.tv_sec += until->tv_sec - now.tv_sec;
	return pthread_timedjoin_np(thread, result, &wall);
}

void call_once(once_flag *flag, void (*function)(void))
{
	pthread_once((pthread_once_t *)flag, function);
}

/* --- mutexes --- */

static pthread_mutex_t *mutex_of(mtx_t *m)
{
	return (pthread_mutex_t *)m;
}

int mtx_init(mtx_t *m, int type)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	if (type & mtx_recursive)
		pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	int err = pthread_mutex_init(mutex_of(m), &attr);
	pthread_mutexattr_destroy(&attr);
	return result_of(err);
}

void mtx_destroy(mtx_t *m)
{
	pthread_mutex_destroy(mutex_of(m));
}

int mtx_lock(mtx_t *m)
{
	return result_of(pthread_mutex_lock(mutex_of(m)));
}

int mtx_unlock(mtx_t *m)
{
	return result_of(pthread_mutex_unlock(mutex_of(m)));
}

/* --- conditions --- */

static pthread_cond_t *cond_of(cnd_t *c)
{
	return (pthread_cond_t *)c;
}

int cnd_init(cnd_t *c)
{
	return result_of(pthread_cond_init(cond_of(c), NULL));
}

void cnd_destroy(cnd_t *c)
{
	pthread_cond_destroy(cond_of(c));
}

int cnd_wait(cnd_t *c, mtx_t *m)
{
	return result_of(pthread_cond_wait(cond_of(c), mutex_of(m)));
}

int cnd_timedwait(cnd_t *c, mtx_t *m, const struct timespec *until)
{
	return result_of(pthread_cond_timedwait(cond_of(c), mutex_of(m), until));
}

int cnd_signal(cnd_t *c)
{
	return result_of(pthread_cond_signal(cond_of(c)));
}

int cnd_broadcast(cnd_t *c)
{
	return result_of(pthread_cond_broadcast(cond_of(c)));
}
