"""A faithful fake Google for tests: calendars, sign-in and Gmail, with push, guests, faults and quotas.

Three ways to use it:

* In one process, over real HTTP: `with GoogleServer(clock, ["anna@example.com"]) as google:` (module
  `http`). It has the addresses (`calendar_api`, `gmail_api`, `auth_uri`, `token_uri`, `revoke_uri`,
  `userinfo_uri`, `control_url`), sign-ins (`token_document(account, scopes)`), the state (`world`) and the
  operations (`control`).
* Without sockets, on a virtual clock: `handle(world, Request.to(method, path, headers, body))` (module
  `api`) gives a `Response`; wait its `delay`, cut off when `truncated`; `ConnectionLost` means that no
  answer came (`applied` says whether the work was done). Take pushes from `world.outgoing_pushes` when they
  are `due`, and hand the status of each try to `push.finished(status, now)`: True puts it off to a new
  `due`. `Control(world)` has the operations.
* As a program: `python -m tests.google_server --account anna@example.com --seed-events 50
  --allow-http-push` prints one JSON line with the addresses, the OAuth client and an authorised-user
  document per account.

Control operations, as methods of `control`, by `control.perform(name, **arguments)`, or as `POST
<control_url><name>` with a JSON object, answered by `{"result": …}`; `GET <control_url>operations` lists
them with their arguments:

* people: create_event edit_event delete_event move_event add_guest remove_guest rsvp invite_from_outside
  put_raw seed_events
* accounts and calendars: add_account add_calendar share_calendar remove_calendar
* sign-ins: token_document access_token expire_access_tokens revoke set_consent
* sync: expire_sync_tokens between_pages set(page_sizes=[2, 0])
* switches: set (see `state.Switches`) set_latency set_clock_offset advance_clock
* pushes: lose_pushes duplicate_pushes delay_pushes settle_pushes pushes channels
* faults: add_fault clear_faults faults (kinds: `faults.KINDS`)
* questions: now events event calendars mails gmail calls counters reset_calls schema_problems surprises

Operations in the call log and in faults are called
`events.list|get|insert|import|patch|update|delete|move|instances|watch`, `calendars.get|insert|delete`,
`calendarList.list|get|watch`, `channels.stop`, `colors.get`, `gmail.send` and
`oauth.auth|token|revoke|userinfo`.

Worth knowing: ids are base32hex, so no w, x, y or z. `Credentials.from_authorized_user_info` of google-auth
forgets the document's `token_uri`; hand it over yourself. What Google does without saying so is a switch
here, with the more likely behaviour as default. Not there: acl, settings, freeBusy, quickAdd, batch, media
upload, calendar patches.
"""
