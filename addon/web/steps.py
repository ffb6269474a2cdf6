"""The way through Google Cloud in words, a step per screen: what to open, what to press, and why; pure."""

from dataclasses import dataclass

CLOUD = "https://console.cloud.google.com"
ENABLE_API = f"{CLOUD}/apis/library/calendar-json.googleapis.com"
ENABLE_GMAIL = f"{CLOUD}/apis/library/gmail.googleapis.com"
AUDIENCE = f"{CLOUD}/auth/audience"
CONNECTIONS = "https://myaccount.google.com/connections"


@dataclass(frozen=True, slots=True)
class Step:
    """One screen. `path` is its page; `link` and `label` lead to Google; `presses` is what to do there, in order."""

    path: str
    name: str
    title: str
    why: str
    link: str = ""
    label: str = ""
    presses: tuple[str, ...] = ()
    hint: str = ""


STEPS = (
    Step(
        path="sign-in-project",
        name="Project",
        title="Make a project in Google Cloud",
        why="Google lets a program read your calendar only through a project of your own. It costs nothing and asks "
        "for no credit card; nobody but you has access to it.",
        link=f"{CLOUD}/projectcreate",
        label="Open Google Cloud: new project",
        presses=(
            "Sign in with your Google account, and accept the terms if Google asks.",
            "Project name: Calbot.",
            "Press **Create**, and wait until the bell says that the project is there.",
        ),
        hint="If you have such a project from before, choose it at the top of the page instead.",
    ),
    Step(
        path="sign-in-api",
        name="Calendar API",
        title="Enable the Google Calendar API",
        why="A new project may use nothing yet. This one is to use the calendar.",
        link=ENABLE_API,
        label="Open the Google Calendar API",
        presses=(
            "Look at the top of the page: it has to say **Calbot**. If not, choose your project there.",
            "Press **Enable**.",
        ),
        hint="If the button says Manage, it is enabled already.",
    ),
    Step(
        path="sign-in-consent",
        name="Consent screen",
        title="Set up the consent screen, and publish it",
        why="This is the page on which Google will ask you for permission. Published means that the permission "
        "lasts; in Testing it would end after seven days.",
        link=f"{CLOUD}/auth/overview",
        label="Open the consent screen",
        presses=(
            "Press **Get started**. App name: Calbot. Support e-mail: your own address. Press **Next**.",
            "Audience: choose **External**. Press **Next**.",
            "Contact: your own address. Press **Next**, agree to the policy, press **Continue** and **Create**.",
            "On the left open **Audience**, press **Publish app** and then **Confirm**. It says “In production” now.",
        ),
        hint="Google need not verify it: for personal use that is not required.",
    ),
    Step(
        path="sign-in-client",
        name="Desktop client",
        title="Make a Desktop client",
        why="With this Calbot shows Google that it belongs to your project.",
        link=f"{CLOUD}/auth/clients/create",
        label="Open a new client",
        presses=(
            "Application type: **Desktop app**. (Web application does not work here.) Name: Calbot.",
            "Press **Create**.",
            "Press **Download JSON**. The file’s name begins with client_secret.",
        ),
        hint="Google shows the secret only now. If the window is closed already, make one more client.",
    ),
    Step(
        path="sign-in-file",
        name="JSON file",
        title="Give Calbot the file",
        why="Calbot keeps it sealed, on this machine only.",
    ),
    Step(
        path="sign-in-google",
        name="Sign in",
        title="Sign in at Google",
        why="Google shows three screens now. Two of them look wrong and are right: read this first, then open Google.",
    ),
)


MAIL = Step(
    path="sign-in-mail",
    name="Mail",
    title="Let Calbot send its alerts as mail",
    why="With this Calbot may send mail from this account; it can read none. It is a permission of its own, because "
    "Google ends it whenever the account’s password changes: the calendars go on then, and only this is asked again.",
)


def pressed(text: str) -> list[tuple[bool, str]]:
    """Return a sentence in parts, each with whether it is a button's name (written **so**)."""
    return [(bool(number % 2), part) for number, part in enumerate(text.split("**")) if part]
