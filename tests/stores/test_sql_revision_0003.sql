BEGIN TRANSACTION;
CREATE TABLE voice_accounts (
	tenant_id VARCHAR(128) NOT NULL, 
	scope VARCHAR(32) NOT NULL, 
	account_id VARCHAR(256) NOT NULL, 
	zone TEXT, 
	PRIMARY KEY (tenant_id, scope, account_id)
);
INSERT INTO "voice_accounts" VALUES('default','user','ada',NULL);
INSERT INTO "voice_accounts" VALUES('default','session','s3',NULL);
CREATE TABLE voice_balances (
	tenant_id VARCHAR(128) NOT NULL, 
	scope VARCHAR(32) NOT NULL, 
	account_id VARCHAR(256) NOT NULL, 
	meter VARCHAR(32) NOT NULL, 
	window VARCHAR(32) NOT NULL, 
	period VARCHAR(32) NOT NULL, 
	spent BIGINT NOT NULL, 
	held BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, scope, account_id, meter, window, period)
);
INSERT INTO "voice_balances" VALUES('default','session','s3','audio_us','session','',7,1000);
INSERT INTO "voice_balances" VALUES('default','user','ada','audio_us','day','2026-01-01',7,1000);
INSERT INTO "voice_balances" VALUES('default','user','ada','audio_us','month','2026-01',7,1000);
CREATE TABLE voice_holds (
	id TEXT NOT NULL, 
	tenant_id VARCHAR(128) NOT NULL, 
	session_id TEXT, 
	meter VARCHAR(32) NOT NULL, 
	amount BIGINT NOT NULL, 
	lines TEXT NOT NULL, 
	expires_at BIGINT, 
	PRIMARY KEY (id)
);
INSERT INTO "voice_holds" VALUES('h1','default','s3','audio_us',1000,'[{"tenant_id": "default", "scope": "session", "account_id": "s3", "meter": "audio_us", "window": "session", "period": ""}, {"tenant_id": "default", "scope": "user", "account_id": "ada", "meter": "audio_us", "window": "day", "period": "2026-01-01"}, {"tenant_id": "default", "scope": "user", "account_id": "ada", "meter": "audio_us", "window": "month", "period": "2026-01"}]',NULL);
CREATE TABLE voice_journal (
	session_id VARCHAR(128) NOT NULL, 
	seq BIGINT NOT NULL, 
	entry TEXT NOT NULL, 
	PRIMARY KEY (session_id, seq), 
	FOREIGN KEY(session_id) REFERENCES voice_sessions (id) ON DELETE CASCADE
);
INSERT INTO "voice_journal" VALUES('s3',1,'{"v":1,"seq":1,"type":"connect_requested","at":1767225600000000}');
INSERT INTO "voice_journal" VALUES('s3',2,'{"v":1,"seq":2,"type":"transport_ready","at":1767225600000000}');
INSERT INTO "voice_journal" VALUES('s3',3,'{"v":1,"seq":3,"type":"utterance_finished","at":1767225600000000,"utterance_id":"u1","start_us":0,"end_us":500000,"word_count":1}');
INSERT INTO "voice_journal" VALUES('s3',4,'{"v":1,"seq":4,"type":"utterance_finished","at":1767225600000000,"utterance_id":"u0","start_us":0,"end_us":500000,"word_count":1}');
CREATE TABLE voice_limits (
	tenant_id VARCHAR(128) NOT NULL, 
	scope VARCHAR(32) NOT NULL, 
	account_id VARCHAR(256) NOT NULL, 
	meter VARCHAR(32) NOT NULL, 
	window VARCHAR(32) NOT NULL, 
	amount BIGINT NOT NULL, 
	warn_at TEXT NOT NULL, 
	PRIMARY KEY (tenant_id, scope, account_id, meter, window)
);
INSERT INTO "voice_limits" VALUES('default','user','ada','audio_us','day',3600000000,'4/5');
CREATE TABLE voice_revision (version_num VARCHAR(32) PRIMARY KEY);
INSERT INTO "voice_revision" VALUES('0003');
CREATE TABLE voice_sessions (
	id VARCHAR(128) NOT NULL, 
	tenant_id VARCHAR(128) NOT NULL, 
	user_id TEXT, 
	created_by TEXT, 
	created_at BIGINT NOT NULL, 
	started_at BIGINT, 
	live_at BIGINT, 
	updated_at BIGINT NOT NULL, 
	ended_at BIGINT, 
	listed_at BIGINT NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	status VARCHAR(32) NOT NULL, 
	state_since BIGINT NOT NULL, 
	last_activity_at BIGINT NOT NULL, 
	active_us BIGINT NOT NULL, 
	pauses TEXT NOT NULL, 
	pause_reasons TEXT NOT NULL, 
	end_reason VARCHAR(32), 
	error TEXT, 
	seq BIGINT NOT NULL, 
	deadline_at BIGINT, 
	mode TEXT NOT NULL, 
	language TEXT NOT NULL, 
	model TEXT NOT NULL, 
	encoding VARCHAR(32) NOT NULL, 
	sample_rate INTEGER NOT NULL, 
	channels INTEGER NOT NULL, 
	store_audio BOOLEAN NOT NULL, 
	store_transcript BOOLEAN NOT NULL, 
	enhance_on_end BOOLEAN NOT NULL, 
	retention_days INTEGER NOT NULL, 
	legal_hold BOOLEAN DEFAULT 0 NOT NULL, 
	device_type TEXT, 
	client_version TEXT, 
	key_hash TEXT, 
	recording_consent BOOLEAN, 
	consent_by TEXT, 
	consent_wording TEXT, 
	consent_at BIGINT, 
	secrets_blurred TEXT NOT NULL, 
	transcript_partial TEXT, 
	transcript_final TEXT, 
	audio_uri TEXT, 
	audio_partial BOOLEAN NOT NULL, 
	transcript_uri TEXT, 
	enhancement_job_id VARCHAR(128), 
	previous_session_id VARCHAR(128), 
	audio_duration_seconds FLOAT NOT NULL, 
	utterance_count BIGINT NOT NULL, 
	word_count BIGINT NOT NULL, 
	message_count BIGINT NOT NULL, 
	audio_chunks_received BIGINT NOT NULL, 
	audio_chunks_processed BIGINT NOT NULL, 
	audio_minutes_used FLOAT NOT NULL, 
	daily_budget_remaining TEXT, 
	session_template_id VARCHAR(128), 
	room_name TEXT, 
	modality_profile TEXT, 
	enabled_panels TEXT, 
	token_expiry BIGINT, 
	worker_id TEXT, 
	epoch BIGINT NOT NULL, 
	lease_expires_at BIGINT, 
	client_ip TEXT, 
	metadata TEXT NOT NULL, max_active_us BIGINT, max_wall_clock_us BIGINT, 
	PRIMARY KEY (id), 
	CONSTRAINT voice_sessions_enhanced_by FOREIGN KEY(id, enhancement_job_id) REFERENCES voice_tasks (session_id, id) DEFERRABLE INITIALLY DEFERRED, 
	FOREIGN KEY(previous_session_id) REFERENCES voice_sessions (id) ON DELETE SET NULL, 
	CONSTRAINT voice_sessions_made_from FOREIGN KEY(session_template_id) REFERENCES voice_templates (id) ON DELETE SET NULL, 
	UNIQUE (room_name)
);
INSERT INTO "voice_sessions" VALUES('s1','default','ada','the host',1767225600000000,1767229200000001,1767229201000001,1767229202000001,NULL,1767229200000001,'PAUSED','active',1767229203000001,1767229204000001,123456789,'[["user",1767229200000001],["disconnected",1767225600000000]]','["disconnected","user"]',NULL,'it crackles: 𝄞',0,1767315600000001,'transcription','de-CH','accurate','mulaw',8000,2,1,1,1,-1,1,'phone','1.2','0badcafe',0,'ada','v3',1767229205000001,'["card_number","it''s \"so\""]','Hel','Hello','file:///audio.wav',1,'file:///transcript.json','job_1',NULL,1.000001,1,2,3,4,5,1.16666716666666669954e-01,'{"audioMin":1.6666666666666667e-08,"videoTokens":2,"screenTokens":null}','tmpl_1','room_of_s1','voice','["notes","map"]',1767232800000001,NULL,0,NULL,'192.0.2.1','{"a":[1,2.5,null,{"b":"ü\\u"}],"c":"1"}',NULL,NULL);
INSERT INTO "voice_sessions" VALUES('s2','default',NULL,NULL,1767225600000000,NULL,NULL,1767225600000000,NULL,1767225600000000,'IDLE','active',1767225600000000,1767225600000000,0,'[]','[]',NULL,NULL,0,NULL,'LS1A','auto','fast','pcm_s16le',16000,1,0,0,0,30,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,NULL,NULL,0,NULL,NULL,'s1',0.0,0,0,0,0,0,0.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,'{}',NULL,NULL);
INSERT INTO "voice_sessions" VALUES('s3','default',NULL,NULL,1767225600000000,1767225600000000,1767225600000000,1767225600000000,NULL,1767225600000000,'LIVE','active',1767225600000000,1767225600000000,0,'[]','[]',NULL,NULL,4,NULL,'LS1A','auto','fast','pcm_s16le',16000,1,0,0,0,30,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,NULL,NULL,0,NULL,NULL,NULL,0.0,2,2,2,0,0,0.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,'{}',60000000,90000000);
CREATE TABLE voice_tasks (
	session_id VARCHAR(128) NOT NULL, 
	id VARCHAR(128) NOT NULL, 
	tenant_id VARCHAR(128) NOT NULL, 
	type TEXT NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	due_at BIGINT NOT NULL, 
	attempts BIGINT NOT NULL, 
	payload TEXT NOT NULL, 
	result_uri TEXT, 
	error_message TEXT, 
	PRIMARY KEY (session_id, id), 
	FOREIGN KEY(session_id) REFERENCES voice_sessions (id) ON DELETE CASCADE
);
INSERT INTO "voice_tasks" VALUES('s1','job_1','default','enhancement','pending',1767225600000000,1767225600000000,1767225600000000,0,'{}',NULL,NULL);
CREATE TABLE voice_templates (
	id VARCHAR(128) NOT NULL, 
	tenant_id VARCHAR(128) NOT NULL, 
	name TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	modality_profile TEXT NOT NULL, 
	enabled_panels TEXT, 
	language TEXT, 
	model TEXT, 
	max_active_us BIGINT, 
	max_wall_clock_us BIGINT, 
	audio_budget_us BIGINT, 
	agent_metadata TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "voice_templates" VALUES('tmpl_1','default','Consultation',1767225600000000,1767225600000000,'audio',NULL,NULL,NULL,60000000,90000000,NULL,'{}');
CREATE TABLE voice_tombstones (
	place INTEGER NOT NULL, 
	tenant_id VARCHAR(128) NOT NULL, 
	session_hash VARCHAR(64) NOT NULL, 
	deleted_at BIGINT NOT NULL, 
	deleted_by TEXT, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (place)
);
INSERT INTO "voice_tombstones" VALUES(1,'default','5b840157e7e86aef3b3fd0fc24f3add34d3e7f210370d429475ed1bcd3e7fca2',1767312000000001,'the host','request');
CREATE TABLE voice_utterances (
	session_id VARCHAR(128) NOT NULL, 
	id VARCHAR(128) NOT NULL, 
	speaker VARCHAR(32) NOT NULL, 
	start_us BIGINT NOT NULL, 
	end_us BIGINT NOT NULL, 
	text TEXT NOT NULL, 
	confidence FLOAT, 
	words TEXT NOT NULL, 
	generated_text TEXT, 
	spoken_text TEXT, 
	interrupted BOOLEAN NOT NULL, 
	PRIMARY KEY (session_id, id), 
	FOREIGN KEY(session_id) REFERENCES voice_sessions (id) ON DELETE CASCADE
);
INSERT INTO "voice_utterances" VALUES('s3','u1','user',0,500000,'Hello',0.25,'[["Hello",0,500000,0.5]]',NULL,NULL,0);
INSERT INTO "voice_utterances" VALUES('s3','u0','user',0,500000,'Hello',0.25,'[["Hello",0,500000,0.5]]',NULL,NULL,0);
CREATE INDEX voice_templates_of ON voice_templates (tenant_id, id);
CREATE INDEX voice_tombstones_of ON voice_tombstones (tenant_id, place);
CREATE INDEX voice_holds_of_session ON voice_holds (tenant_id, session_id);
CREATE INDEX voice_holds_until ON voice_holds (expires_at);
CREATE INDEX voice_sessions_by_mode ON voice_sessions (tenant_id, mode, listed_at, id);
CREATE INDEX voice_sessions_leased ON voice_sessions (lease_expires_at);
CREATE INDEX voice_sessions_of_template ON voice_sessions (session_template_id);
CREATE INDEX voice_sessions_by_user_and_state ON voice_sessions (tenant_id, user_id, state);
CREATE INDEX voice_sessions_due ON voice_sessions (deadline_at);
CREATE INDEX voice_sessions_listed ON voice_sessions (tenant_id, listed_at, id);
CREATE INDEX voice_sessions_of_all ON voice_sessions (listed_at, id);
CREATE INDEX voice_sessions_by_state ON voice_sessions (tenant_id, state, listed_at, id);
CREATE INDEX voice_sessions_open ON voice_sessions (tenant_id, user_id, state) WHERE state != 'ENDED';
CREATE INDEX voice_sessions_after ON voice_sessions (previous_session_id);
CREATE INDEX voice_sessions_by_user ON voice_sessions (tenant_id, user_id, listed_at, id);
CREATE INDEX voice_sessions_by_status ON voice_sessions (tenant_id, status, listed_at, id);
CREATE INDEX voice_tasks_due ON voice_tasks (state, due_at, id);
COMMIT;
