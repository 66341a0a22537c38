-- Counts one request by the generic cell rate algorithm, as each process does.
-- KEYS[1]: the key of the client. ARGV[1]: the interval in microseconds after which one more request
-- may come. ARGV[2]: how many may come at once. Returns 0 when this request may pass, otherwise the
-- microseconds to wait.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local slack = interval * (ARGV[2] - 1)
-- The time at which the next request is due if they come evenly. Neither a clock that was set back nor
-- an instance with another rate may lock out a client for longer than a full limit takes to recover.
local due = tonumber(redis.call('GET', KEYS[1])) or now
due = math.min(math.max(due, now), now + slack + interval)
local wait = due - slack - now
if wait > 0 then
    return wait
end
due = due + interval
redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', math.ceil((due - now) / 1000))
return 0
