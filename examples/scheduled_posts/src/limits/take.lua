-- One request under the generic cell rate algorithm, as each process counts by itself.
-- KEYS[1]: whose it is. ARGV[1]: after how many microseconds one more may come. ARGV[2]: how many
-- may come at once. Answers 0 when this one may pass, otherwise after how many microseconds one may.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local slack = interval * (ARGV[2] - 1)
-- When the next one is due, if they came evenly. Neither a clock that was set back nor an instance
-- with another rate may keep anybody out for longer than all requests take to come back.
local due = tonumber(redis.call('GET', KEYS[1])) or now
due = math.min(math.max(due, now), now + slack + interval)
local wait = due - slack - now
if wait > 0 then
    return wait
end
due = due + interval
redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', math.ceil((due - now) / 1000))
return 0
