"""Words by what they tell of a message: a state or an action most, then the words of the trade, particles least."""
from __future__ import annotations

_TELLING = """
abandoned abort aborted aborting accept accepted accepting access accessed acquire acquired activate activated active
add added adding allocate allocated allow allowed applied apply assign assigned attach attached attempt attempted
attempting authenticated authorized bad began begin blocked bound break broken build building built busy call called
calling cancel canceled cancelled cannot change changed changing check checked checking clean cleaned cleaning cleared
close closed closing commit committed compile compiled complete completed completing compressed configured connect
connected connecting consumed copied copy corrupt corrupted crash crashed create created creating dead declined
degraded delayed delete deleted deleting denied deny deployed deprecated detached detect detected disable disabled
disabling disconnect disconnected disconnecting discovered dispatched done down downloaded downloading drop dropped
dropping duplicate elected empty enable enabled enabling encountered end ended ending enter entered entering error
evicted exceed exceeded executed executing exist exists exit exited exiting expire expired expiring extracted fail
failed failing fails failure fallback fatal fetch fetched fetching find finish finished finishing flush flushed
flushing forbidden found freed full generated get got granted halted handled handling healthy hit idle ignore ignored
ignoring inactive initialised initialized initializing insert inserted installed installing interrupted invalid
invoked join joined joining kill killed launch launched leave leaving left limited listen listening load loaded
loading lock locked logged login logout lookup lost mark marked match matched merged migrated mismatch miss missed
missing modified mount mounted moved moving negotiated new notified obtained offline ok online open opened opening
opted overflow parse parsed parsing pass passed paused pending persisted ping pinged poll polling prepare prepared
probing process processed processing promoted published pull pulled push pushed put query queued reached read reading
ready rebalanced rebooted rebooting receive received receiving reclaimed reconnect reconnected reconnecting recover
recovered recovering redirected refresh refreshed refused register registered reject rejected release released reload
reloaded reloading remove removed removing renamed renewed replaced replicated reported request requested requesting
rescheduled reset resolve resolved responded restart restarted restarting restored resume resumed retried retry
retrying return returned returning reverted revoked rolled rotated run running save saved saving scaled scan scanned
scanning scheduled search selected send sending sent served set setting shut shutdown shutting skip skipped skipping
sleep slow spawned stale stalled start started starting stop stopped stopping stored submitted subscribed succeed
succeeded success successful successfully suspended switch switched synced synchronised synchronized syncing take
taken terminate terminated terminating throttled throw thrown timed timeout transferred transferring triggered
truncated trying unable unauthorized unavailable unchanged unexpected unhandled uninstalled unknown unloaded unlocked
unmounted unreachable unregistered unresponsive unsubscribed unsupported up update updated updating upgraded upload
uploaded uploading validated verified verify violated wait waited waiting waking warning woke write writing written
wrong
"""
_TRADE = """
ac account acknowledgement action adapter address administrator agent alarm alert algorithm algorithms api app
application archive argument array attribute authentication authorization backend backup balance bandwidth batch
battery bind bit block body boot branch broker browser bucket buffer bug bus bytes cache card catalog certificate
chain channel character charge checkpoint checksum child chunk circuit class client clock cluster code collection
collector column command condition config configuration connection connections console consumer container content
context controller cookie coordinator core count counter country cpu credentials critical cycle daemon data database
date day days db dc debug default definition delivery dependency deployment depth destination device dhcp directory
disk display dns document domain door driver duration element email encoding endpoint engine entity entries entry
environment event events exception executor expression extension face failover fan fd feature feed field file files
filesystem filter firewall firmware flag flow folder format frame frequency function garbage gateway goal group handle
handler handshake hardware hash header health heap heartbeat history hook host hostname hosts hour hours http https
humidity id identity image import index info information input instance integrity interface internal interrupt
interval invoice ip issue item items job jobs journal kernel key keys label lag language latency layer lead leader
leadership length level library license limit line link list listener local location log logger loop machine mail main
maintenance manager map mapping master max maximum measurement member memory message messages metadata method metric
middleware millis milliseconds min minimum minutes mode model module monitor motor mouse name namespace network node
nodes notification null number object offset operation operator option order output owner package packet packets page
parameter parent parser partition partitions password path payload payment peer percent performance permission pid
pipeline plan plugin point policy pool pools port position power pressure primary priority privilege problem producer
product profile program project promise property protocol provider proxy pump quality queue quota rack rate record
records recovery region registry relay remote replica replication report repository reservation resource response
result results role root route router row rows rule sample schedule scheduler schema scope screen script secondary
seconds section sector security segment sensor sequence server servers service services session sessions shard share
shell signal size slave slot snapshot socket software source space speed stack stage state statement statistics status
step storage store stream string subscriber subscription subsystem summary supervisor support syntax system table
target task tasks temperature template tenant test text thread threads threshold ticket time timer timestamp token
tokens topic trace traffic transaction transfer transport trigger type unit uptime uri url usage use used user
username users utilization value values valve variable version view virtual voltage volume web weight window worker
workers zone
"""
_PARTICLES = """
a about above after again all already also an and any are as at be because been before being below between both but by
can could did do does due during each either else every few for from had has have he her here his how i if in into is
it its just may me more most must my no none nor not now of off on once one only onto or other our out over own per
please same she should since so some still such than that the their them then there these they this those through to
too toward under until upon us via was we were what when where which while who why will with within without would yes
yet you your
"""

TELLING = frozenset(_TELLING.split())
TRADE = frozenset(_TRADE.split())
PARTICLES = frozenset(_PARTICLES.split())
