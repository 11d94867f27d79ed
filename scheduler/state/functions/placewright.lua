#!lua name=placewright_v1

-- The only writers of a cell's keys. They compare versions and fences; no rule of scheduling is here.
-- `../library.py` adds a hash of this text to the names, so that processes of two versions each call their own.
-- A change of what is stored that the other version would misread needs a new schema (`../redis_store.py`).
-- `../keys.py` says what is in each key. Runs on Redis 7.0 and newer, and on Valkey 8 and newer.
--
-- Replies are arrays whose first element is a status:
--   "OK" ...      carried out
--   "SERVER"      nothing written: the server is not the one that the history was made or kept on, so that
--                 it may have lost acknowledged writes; the leader must call adopt_history first

local NOTHING = '.'

local function server_run_id()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end

-- Versions of a stored record, or nil.
local function versions_of(stored)
  if not stored then return nil end
  local version, planning_version = string.match(stored, '^(%d+) (%d+) ')
  return tonumber(version), tonumber(planning_version)
end

-- The stored record that a check or a put is about, or false.
local function stored_at(keys, change)
  if change[2] == '' then return redis.call('GET', keys[change[1]]) end
  return redis.call('HGET', keys[change[1]], change[2])
end

local function holds(keys, check)
  local version, planning_version = versions_of(stored_at(keys, check))
  if check[3] == 'absent' then return version == nil end
  if check[3] == 'at' then return version == check[4] end
  return planning_version == check[4]
end

local function first_broken_check(keys, checks)
  for index, check in ipairs(checks) do
    if not holds(keys, check) then return index end
  end
  return nil
end

-- What each put will store; its planning version stays unless the put replans or makes a new record.
local function values_of(keys, args, puts, revision)
  local values = {}
  for index, put in ipairs(puts) do
    local _, planning_version = versions_of(stored_at(keys, put))
    if planning_version == nil or put[4] then planning_version = revision end
    values[index] = string.format('%d %d ', revision, planning_version) .. args[put[6]]
  end
  return values
end

-- The commit goes into the stream before the records: XADD refuses an id that is not the newest, and an
-- error after the first write would leave half a transaction.
local function append(keys, retained, revision, transaction, values)
  local entry = {}
  for index, put in ipairs(transaction[3]) do
    if put[2] ~= '' then
      entry[#entry + 1] = '+' .. put[3]
      entry[#entry + 1] = values[index]
    end
  end
  for _, delete in ipairs(transaction[4]) do
    if delete[2] ~= '' then
      entry[#entry + 1] = '-' .. delete[3]
      entry[#entry + 1] = ''
    end
  end
  if #entry == 0 then entry = {NOTHING, ''} end
  redis.call('XADD', keys[2], 'MAXLEN', '~', retained, string.format('%d-0', revision), unpack(entry))
end

local function write(keys, transaction, values)
  for index, put in ipairs(transaction[3]) do
    local key = keys[put[1]]
    if put[2] ~= '' then
      redis.call('HSET', key, put[2], values[index])
    elseif put[5] > 0 then
      redis.call('SET', key, values[index], 'PX', put[5])
    else
      redis.call('SET', key, values[index])
    end
  end
  for _, delete in ipairs(transaction[4]) do
    if delete[2] ~= '' then
      redis.call('HDEL', keys[delete[1]], delete[2])
    else
      redis.call('DEL', keys[delete[1]])
    end
  end
end

-- Carry out transactions in order, each whole or not at all.
-- KEYS[1]   meta
-- KEYS[2]   stream
-- KEYS[3..] hashes and strings of records; the transactions name them by their index
-- ARGV[1]   commits to retain in the stream, about
-- ARGV[2]   MessagePack array of transactions {fence or '', checks, puts, deletes}, the last three arrays of
--             check   {index in KEYS, id, 'absent' | 'at' | 'planned', version}
--             put     {index in KEYS, id, '<kind>:<id>', replans, expiry in ms or 0, index of the entity in ARGV}
--             delete  {index in KEYS, id, '<kind>:<id>'}
--           where id is the field in the hash, and '' for a string
-- ARGV[3..] entities; not in ARGV[2], since cmsgpack knows no binary values
-- return "OK" and for each transaction an array: {0, revision} carried out; {1, revision, index of the check}
--   a conflict; {2} a stale fence
local function transact(keys, args)
  local meta = redis.call('HMGET', keys[1], 'server_run_id', 'revision', 'fence')
  if not meta[1] or meta[1] ~= server_run_id() then return {'SERVER'} end
  local first, revision, fence = tonumber(meta[2]), tonumber(meta[2]), meta[3] or ''
  local reply = {'OK'}
  for number, transaction in ipairs(cmsgpack.unpack(args[2])) do
    local broken = first_broken_check(keys, transaction[2])
    if transaction[1] ~= '' and transaction[1] ~= fence then
      reply[number + 1] = {2}
    elseif broken then
      reply[number + 1] = {1, revision, broken}
    else
      local values = values_of(keys, args, transaction[3], revision + 1)
      append(keys, args[1], revision + 1, transaction, values)
      revision = revision + 1
      redis.call('HSET', keys[1], 'revision', string.format('%d', revision))
      write(keys, transaction, values)
      reply[number + 1] = {0, revision}
    end
  end
  return reply
end

-- A shadow leads only while nobody leads for real; SHADOW_HOLDER_PREFIX of ../../ports.py.
local function is_shadow(holder)
  return string.sub(holder, 1, 7) == 'shadow:'
end

-- Take or renew the leader lease. Works on any server: it must come before adopt_history.
-- KEYS[1]  leader
-- KEYS[2]  meta
-- ARGV[1]  holder
-- ARGV[2]  duration in ms
-- ARGV[3]  nonce of a new fence
-- return "OK" and the fence, or "HELD" by another holder
local function lead(keys, args)
  local fence, holder = string.match(redis.call('GET', keys[1]) or '', '^(%S+) (.*)$')
  if fence and holder ~= args[1] then
    if is_shadow(args[1]) or not is_shadow(holder) then return {'HELD'} end
    fence = nil
  end
  if not fence or fence ~= redis.call('HGET', keys[2], 'fence') then
    local number = redis.call('HINCRBY', keys[2], 'fence_number', 1)
    fence = string.format('%d', number) .. ':' .. args[3]
    redis.call('HSET', keys[2], 'fence', fence)
  end
  redis.call('SET', keys[1], fence .. ' ' .. args[1], 'PX', args[2])
  return {'OK', fence}
end

-- Give the leader lease up; its fence writes nothing any more.
-- KEYS[1]  leader
-- KEYS[2]  meta
-- ARGV[1]  fence
-- return "OK", whether or not it was still this one
local function release(keys, args)
  if redis.call('HGET', keys[2], 'fence') == args[1] then
    redis.call('HDEL', keys[2], 'fence')
    redis.call('DEL', keys[1])
  end
  return {'OK'}
end

-- Where a new history goes on: above every revision of the past, also of the part that was lost.
local function first_revision(newest)
  local by_time = tonumber(redis.call('TIME')[1]) * 1048576
  return string.format('%d', math.max(tonumber(newest) + 1048576, by_time))
end

-- Let the store be written to on this server: with its history, or with a new one. Safe to repeat.
-- KEYS[1]  meta
-- KEYS[2]  stream
-- ARGV[1]  fence of the leader; needed unless the store is new
-- ARGV[2]  run id of the server that ARGV[4] was judged by
-- ARGV[3]  id of a new history
-- ARGV[4]  "keep" or "new": whether this server surely has every acknowledged write; "renew": a new history
--          in any case, since records of another store's past are about to be written
-- ARGV[5]  schema of keys and fields, for a new store
-- return "OK" and the history; "FENCE" if the fence is not the newest; "SERVER" if this is another server
local function adopt_history(keys, args)
  local meta = redis.call('HMGET', keys[1], 'history', 'server_run_id', 'fence', 'revision')
  local run_id = server_run_id()
  if run_id ~= args[2] then return {'SERVER'} end
  if meta[1] and meta[3] ~= args[1] then return {'FENCE'} end
  if meta[2] == run_id and args[4] ~= 'renew' then return {'OK', meta[1]} end
  local history = meta[1]
  if not history then
    redis.call('HSET', keys[1], 'revision', '0', 'schema', args[5])
  end
  if not history or args[4] ~= 'keep' then
    history = args[3]
    redis.call('DEL', keys[2])
    if meta[4] then redis.call('HSET', keys[1], 'revision', first_revision(meta[4])) end
  end
  redis.call('HSET', keys[1], 'history', history, 'server_run_id', run_id)
  return {'OK', history}
end

redis.register_function('placewright_v1_transact', transact)
-- Above maxmemory nothing new is taken on, but what is there is still cancelled, reported, ended and removed.
local function register_without_memory_check(name, callback)
  redis.register_function({function_name = name, callback = callback, flags = {'allow-oom'}})
end

register_without_memory_check('placewright_v1_transact_reserved', transact)
register_without_memory_check('placewright_v1_lead', lead)
register_without_memory_check('placewright_v1_release', release)
register_without_memory_check('placewright_v1_adopt_history', adopt_history)
