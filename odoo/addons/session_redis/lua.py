"""What Redis does in one step, with nobody else between."""

TAKEN = "taken"

# Half of a session id, its identifier, is no secret: it is in the database, in logs and
# in backups. Only who sends the whole id may change what is kept under an identifier.
#
# A new session under an identifier that is somebody's gets an id of its own. A request
# that ends after its session was revoked or forgotten (then its field is not there), or
# rotated (then there is a successor), must undo neither: the successor is the session,
# with a token made for its own id, and what the late request changed is lost.
SAVE = """
local stored = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[4] == '1' then
    if stored then
        local read, data = pcall(cjson.decode, stored)
        if not read or data['next_sid'] or (data['uid'] and data['uid'] ~= cjson.null) then
            return 'taken'
        end
    elseif redis.call('EXISTS', KEYS[1]) == 1 then
        return 'taken'
    end
elseif not stored then
    return ''
elseif ARGV[5] == '0' then
    local read, data = pcall(cjson.decode, stored)
    if read and data['next_sid'] then return data['next_sid'] end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return ''
"""
# Of many requests at once the first one rotates; all learn the one new session id.
ROTATE = """
local stored = redis.call('HGET', KEYS[1], ARGV[1])
if not stored then return '' end
local read, data = pcall(cjson.decode, stored)
if read and data['next_sid'] then return data['next_sid'] end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return ARGV[6]
"""
# All under the old identifier goes, unless the id is only half of one there, or over (ARGV[6]).
# What a user was active in (ARGV[5]) must not have been revoked meanwhile; a login has its
# own proof, and who sends it twice at once is let in twice.
REPLACE = """
local there = redis.call('HEXISTS', KEYS[2], ARGV[4]) == 1
if ARGV[5] == '1' and ARGV[6] == '0' and not there then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
if ARGV[6] == '0' and there then redis.call('UNLINK', KEYS[2]) end
return 1
"""
FORGET = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
return redis.call('UNLINK', KEYS[1])
"""
