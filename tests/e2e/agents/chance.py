"""Prints what it draws of time and chance, by every usual way to draw it."""

import copy
import datetime
import os
import pickle
import random
import secrets
import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

KIND = datetime.datetime


class Job:
    clock = time.time
    stamp = datetime.datetime.now
    system = os.urandom


def show(*words):
    print(*words, flush=True)


def clocks():
    show("time", time.time(), time.time_ns(), Job().clock(), len(Job().system(4)))
    show("now", datetime.datetime.now(), KIND.now(datetime.timezone.utc), Job().stamp())
    show("today", datetime.datetime.today(), datetime.date.today())
    show("parts", time.localtime(), time.gmtime()[:6], time.ctime(), time.asctime())
    show("strftime", time.strftime("%H:%M:%S"), time.clock_gettime(time.CLOCK_REALTIME))
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        show("utcnow", datetime.datetime.utcnow())


def chance():
    show("uuid", uuid.uuid4(), uuid.uuid1())
    show("secrets", secrets.token_hex(8), secrets.token_urlsafe(), secrets.choice("abcdef"))
    show("urandom", os.urandom(5).hex(), os.getrandom(5).hex() if hasattr(os, "getrandom") else "")
    show("random", random.random(), random.randint(0, 10**9), random.sample(range(100), 3))
    show("own", random.Random().random(), random.Random(7).random(), random.SystemRandom().random())
    random.seed(3)
    show("seeded", random.random())
    random.seed()
    show("unseeded", random.random(), os.path.basename(tempfile.mktemp()))
    show("order", {"a", "b", "c", "d", "e", "f"}, hash("text"))


def types():
    now = KIND.now()
    show(type(now) is datetime.datetime, isinstance(now, KIND), KIND.now().__class__ is KIND)
    show(pickle.loads(pickle.dumps(now)) == now, KIND.fromisoformat(now.isoformat()) == now)

    class Later(datetime.datetime):
        pass

    show(type(Later.now()).__name__, type(Later.utcnow() if False else Later.today()).__name__)
    for function in (time.time, os.urandom, KIND.now):
        again = pickle.loads(pickle.dumps(function))
        show(again.__name__, copy.deepcopy(function).__name__)
    for wrong in ("x", 3):
        try:
            KIND.now(wrong)
        except TypeError as error:
            show("TypeError", error)
    for wrong in (-1, "x", 1.5):
        try:
            os.urandom(wrong)
        except (TypeError, ValueError) as error:
            show(type(error).__name__)


def threads():
    lines = {}

    def work(number):
        lines[number] = [time.time(), uuid.uuid4(), random.SystemRandom().random()]

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    show(sorted(lines.items()))
    with ThreadPoolExecutor(1) as pool:
        show(list(pool.map(lambda _: (time.time(), uuid.uuid4()), range(3))))


def forks():
    for _ in range(2):
        pid = os.fork()
        if not pid:
            show("child", random.random(), uuid.uuid4(), datetime.datetime.now())
            for _ in range(50):
                last = time.time()
            show("child", last)
            os._exit(0)
        os.waitpid(pid, 0)


def bursts():
    for _ in range(20000):
        last = time.time()
    show(last, [uuid.uuid4() for _ in range(1000)][-1], len(os.urandom(100000)))


def with_numpy():
    try:
        import numpy
    except ImportError:
        return
    show(
        numpy.random.default_rng().random(),
        numpy.random.rand(),
        numpy.random.default_rng(1).random(),
    )
    numpy.random.seed()
    show(numpy.random.randint(1 << 30))


def with_pydantic():
    try:
        import pydantic
    except ImportError:
        return

    class Note(pydantic.BaseModel):
        made: datetime.datetime = pydantic.Field(default_factory=datetime.datetime.now)
        day: datetime.date = pydantic.Field(default_factory=datetime.date.today)
        at: float = pydantic.Field(default_factory=time.time)
        id: uuid.UUID = pydantic.Field(default_factory=uuid.uuid4)

    note = Note()
    show(note.model_dump_json(), Note.model_validate_json(note.model_dump_json()) == note)


clocks()
chance()
types()
threads()
forks()
bursts()
with_numpy()
with_pydantic()
