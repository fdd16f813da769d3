"""A clock of the fake's own: it goes on by what a request costs, never by waiting, and runs what is due."""
import datetime
import heapq
import itertools


class Clock:
    def __init__(self):
        self.start = datetime.datetime.now(datetime.timezone.utc)
        self.seconds = 0.0
        self._due, self._order = [], itertools.count()

    def now(self):
        return self.start + datetime.timedelta(seconds=self.seconds)

    def after(self, seconds, what, *arguments):
        """Calls what(*arguments) when that much time has passed."""
        heapq.heappush(self._due, (self.seconds + seconds, next(self._order), what, arguments))

    def advance(self, seconds):
        """Lets time pass; each thing that is due sees its own time."""
        end = self.seconds + seconds
        while self._due and self._due[0][0] <= end:
            self.seconds, _, what, arguments = heapq.heappop(self._due)
            what(*arguments)
        self.seconds = end
