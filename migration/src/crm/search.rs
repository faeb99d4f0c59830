//! How what is written comes to be found by parts of words.

use crate::Step;

/// SQLite's index of parts of words writes all it has at every savepoint, which is one
/// for each write that shares a transaction: ten times what it costs to take in what they
/// wrote at once. So what is due is noted with what it was found by before, and taken in
/// before the transaction is committed.
pub(super) const DUE: Step = Step {
    name: "m0010_search_due",
    up: "
{sqlite} CREATE TABLE crm_contact_due (id INTEGER PRIMARY KEY, search TEXT);
{sqlite} DROP TRIGGER crm_contact_made;
{sqlite} DROP TRIGGER crm_contact_changed;
{sqlite} DROP TRIGGER crm_contact_erased;
{sqlite} CREATE TRIGGER crm_contact_made AFTER INSERT ON crm_contact BEGIN INSERT INTO crm_contact_due (id) VALUES (new.id) ON CONFLICT (id) DO NOTHING; END;
{sqlite} CREATE TRIGGER crm_contact_changed AFTER UPDATE OF search ON crm_contact WHEN old.search <> new.search BEGIN INSERT INTO crm_contact_due (id, search) VALUES (old.id, old.search) ON CONFLICT (id) DO NOTHING; END;
{sqlite} CREATE TRIGGER crm_contact_erased AFTER DELETE ON crm_contact BEGIN INSERT INTO crm_contact_due (id, search) VALUES (old.id, old.search) ON CONFLICT (id) DO NOTHING; END;
{sqlite} CREATE TABLE crm_conversation_message_due (id INTEGER PRIMARY KEY);
{sqlite} DROP TRIGGER crm_conversation_message_made;
{sqlite} CREATE TRIGGER crm_conversation_message_made AFTER INSERT ON crm_conversation_message WHEN new.search <> '' BEGIN INSERT INTO crm_conversation_message_due (id) VALUES (new.id) ON CONFLICT (id) DO NOTHING; END;
",
    down: "
{sqlite} DROP TRIGGER crm_conversation_message_made;
{sqlite} DROP TABLE crm_conversation_message_due;
{sqlite} CREATE TRIGGER crm_conversation_message_made AFTER INSERT ON crm_conversation_message WHEN new.search <> '' BEGIN INSERT INTO crm_conversation_message_search (rowid, search) VALUES (new.id, new.search); END;
{sqlite} DROP TRIGGER crm_contact_erased;
{sqlite} DROP TRIGGER crm_contact_changed;
{sqlite} DROP TRIGGER crm_contact_made;
{sqlite} DROP TABLE crm_contact_due;
{sqlite} CREATE TRIGGER crm_contact_made AFTER INSERT ON crm_contact BEGIN INSERT INTO crm_contact_search (rowid, search) VALUES (new.id, new.search); END;
{sqlite} CREATE TRIGGER crm_contact_changed AFTER UPDATE OF search ON crm_contact WHEN old.search <> new.search BEGIN INSERT INTO crm_contact_search (crm_contact_search, rowid, search) VALUES ('delete', old.id, old.search); INSERT INTO crm_contact_search (rowid, search) VALUES (new.id, new.search); END;
{sqlite} CREATE TRIGGER crm_contact_erased AFTER DELETE ON crm_contact BEGIN INSERT INTO crm_contact_search (crm_contact_search, rowid, search) VALUES ('delete', old.id, old.search); END;
",
};
