"""
What the server does by itself, each in one step that nothing else comes between.

A document is a hash: ``b`` its body, ``r`` its revision, and ``x`` where it stands in indexes,
a JSON list of key, member, key, member. An index with its values is a sorted set whose members
all have the score 0, so the server sorts them by their bytes; behind the last NUL of a member
stands the document's id.

A document that the server forgets by itself leaves its places in indexes behind. They wait in
a queue, sorted by when that happens, and whoever adds to it removes twice as many that are due.

A script that has written nothing yet can be refused (no memory, a read-only replica, a full
disk), and one that has written goes on to its end: so a batch happens whole or not at all.
"""

from __future__ import annotations

import hashlib
from typing import Final

from attrs import frozen

__all__ = ("FIND", "FORGET", "GET", "WRITE", "WRITE_EACH", "Script")


@frozen
class Script:
    """A script, and the name by which the server knows it once it has run it."""

    source: str

    @property
    def sha(self) -> str:
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


# KEYS: the documents. ARGV: for each of them what is done (p, d or c), the revision that is
# expected, the new one, the body, and where it will stand in indexes.
_WRITING: Final = """
local function is_as_expected(key, expected)
  if expected == 'any' then return true end
  local revision = redis.call('HGET', key, 'r')
  if expected == 'absent' then return not revision end
  return revision == expected
end

local function was_done(i)
  return redis.call('HGET', KEYS[i], 'r') == ARGV[5 * i - 2]
end

local function each_place(places, command)
  local list = cjson.decode(places)
  for i = 1, #list, 2 do
    if command == 'ZADD' then
      redis.call('ZADD', list[i], 0, list[i + 1])
    else
      redis.call('ZREM', list[i], list[i + 1])
    end
  end
end

local function apply(key, what, revision, body, places)
  if what == 'c' then return end
  local before = redis.call('HGET', key, 'x')
  if what == 'p' then
    redis.call('HSET', key, 'b', body, 'r', revision, 'x', places)
    if before == places then return end
  end
  if before then each_place(before, 'ZREM') end
  if what == 'p' then each_place(places, 'ZADD') else redis.call('DEL', key) end
end
"""

WRITE: Final = Script(
    _WRITING
    + """
for i, key in ipairs(KEYS) do
  if not is_as_expected(key, ARGV[5 * i - 3]) then
    for j = 1, #KEYS do
      if was_done(j) then return 0 end
    end
    return i
  end
end
for i, key in ipairs(KEYS) do
  apply(key, ARGV[5 * i - 4], ARGV[5 * i - 2], ARGV[5 * i - 1], ARGV[5 * i])
end
return 0
"""
)
"""
Returns 0, or the number of the first write that expects another revision. Told the same once
more, new revisions included, it finds that it was done, unless others have written since.
"""

WRITE_EACH: Final = Script(
    _WRITING
    + """
local done = {}
for i, key in ipairs(KEYS) do
  done[i] = 1
  if is_as_expected(key, ARGV[5 * i - 3]) then
    apply(key, ARGV[5 * i - 4], ARGV[5 * i - 2], ARGV[5 * i - 1], ARGV[5 * i])
  elseif not was_done(i) then
    done[i] = 0
  end
end
return done
"""
)
"""Returns 1 for each write that was done, and 0 for each other one; told again, as `WRITE`."""

GET: Final = Script(
    """
local found = {}
for i, key in ipairs(KEYS) do found[i] = redis.call('HMGET', key, 'b', 'r') end
return found
"""
)
"""KEYS: the documents. Returns body and revision of each, or two nils."""

FIND: Final = Script(
    """
local found = {}
repeat
  local members = redis.call(ARGV[1], KEYS[1], ARGV[2], ARGV[3], 'LIMIT', #found, ARGV[4] - #found)
  local forgotten = {}
  for _, member in ipairs(members) do
    local id = string.match(member, '[^%z]*$')
    local document = redis.call('HMGET', ARGV[5] .. id, 'b', 'r')
    if document[2] then
      found[#found + 1] = {id, document[1], document[2]}
    else
      forgotten[#forgotten + 1] = member
    end
  end
  for _, member in ipairs(forgotten) do redis.call('ZREM', KEYS[1], member) end
until #forgotten == 0
return found
"""
)
"""
KEYS: an index. ARGV: ZRANGEBYLEX or ZREVRANGEBYLEX, where it begins and ends, how many, and
what the keys of documents begin with. Returns id, body and revision of each.
"""

FORGET: Final = Script(
    _WRITING
    + """
local queue, after = KEYS[#KEYS], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0, 2 * #KEYS)) do
  local key, places = unpack(cjson.decode(entry))
  local since = redis.call('HGET', key, 'x')
  each_place(places, 'ZREM')
  if since then each_place(since, 'ZADD') end
  redis.call('ZREM', queue, entry)
end
for i = 1, #KEYS - 1 do
  if after == 'never' then
    redis.call('PERSIST', KEYS[i])
  elseif redis.call('PEXPIRE', KEYS[i], after) == 1 then
    local places = redis.call('HGET', KEYS[i], 'x')
    redis.call('ZADD', queue, now + after, cjson.encode({KEYS[i], places}))
  end
end
"""
)
"""
KEYS: documents, and the queue. ARGV: after how many milliseconds they are forgotten, or never.
A key that was used again since keeps the places that its new document has.
"""
