"""Productions of the default task: what customers of a mail-order shop write, by team.

The shop (Larkfield Home) sells household goods by catalogue and online, brings them with its own vans and
lets customers pay over time on a credit line.  Every team owns one matter, so that a careful reader agrees:

* billing: what was charged, invoices, tax, money paid or refunded;
* credit: the credit line (applying, limit, interest, instalments, arrears, settling early);
* delivery: goods on their way, slots, drivers, vans and depots;
* returns: goods the customer does not want to keep, or wants swapped for another;
* repairs: goods that fail in use, engineers, spare parts, guarantees;
* orders: before dispatch (buying, changing, cancelling, stock, questions about a product);
* website: signing in, the app, pages that fail;
* privacy: personal data and who sees it;
* careers: working for the shop.

Each team's block has four sections.  ``core`` lines carry the request; ``aside`` lines are side remarks that
often name the matter of another team.  The ``held-out`` sections are used for test messages only, the others
for training messages only.  ``[a|b]`` is a choice, ``{slot}`` a word from ``SLOTS`` in ``messages.py``.
"""

from __future__ import annotations

from typing import Final

PRODUCTIONS: Final[dict[str, str]] = {
    "billing": """
# core
I've been charged [twice|two times] for the same {item}, {amount} [each time|both times].
Why does my [invoice|bill] say {amount} when the [basket total|price in the catalogue] was {amount2}?
[Please send|I need] a [copy invoice|VAT receipt] for order {order}, my [employer|accountant] wants it.
There's a payment of {amount} to you on my [bank statement|card] from {date} that I don't recognise.
The [discount|voucher] code was accepted but {amount} was taken [all the same|as if there were none].
Your [email|letter] says {amount} was refunded on {date}, but my bank [has no trace of it|shows nothing].
My card [was declined|got refused] [twice|again] though there's enough in the bank, [why|what's wrong]?
Can I pay [the invoice|this bill] by [bank transfer|cheque], and what reference do I [use|put]?
You took {amount} for postage when [the order qualified for free delivery|the advert said free delivery].
The name on the [invoice|receipt] is wrong, it should be [made out to|in the name of] {name}.
What is the {amount} [handling fee|service charge] on my [latest bill|last statement] for?
I bought one {item} but was billed for [two|three].
The payment for my yearly membership was taken [twice|a week early] in {month}.
You're still charging me {amount} a month for the [care plan|magazine] I stopped in {month}.
Got a [reminder|final demand] for an invoice I [settled|paid] on {date}.
Can the [VAT|sales tax] be taken off [since we're a registered charity|as I live abroad]?
I paid part with a gift card, yet the whole {amount} came off my [debit card|bank card].
Please [charge|use] a different card for my care plan, the old one expires in {month}.
# core held-out
Two identical payments of {amount} left my [account|bank] on {date}, and I only [bought|have] one {item}.
The sums on the invoice don't add up: {item} {amount}, total at the bottom {amount2}.
[My bookkeeper|The tax office] wants [paperwork|a document] showing the VAT I paid on {order}.
The {amount} you agreed to knock off on the phone [never came off|isn't reflected in] what I paid.
A pending {amount} from you has sat on my bank card since {day} and won't [clear|drop off].
# aside
The goods [came on time|arrived fine].
I'm not sending anything back, by the way.
There's nothing wrong with the [goods|{item}].
I asked the driver but he couldn't [help|say].
I can log in fine but the website doesn't explain it.
This was not bought on credit.
I don't want to cancel the order.
# aside held-out
The van turned up when it should, no gripe there.
The chat robot kept offering me a returns label, which is no use.
""",
    "credit": """
# core
I'd like to [apply for|open] a credit account so I can [spread the cost of|pay monthly for] a {large}.
Can you raise my credit limit to {limit}?
My application for [the credit line|pay-later] was [turned down|refused] and I'd like to know why.
How much interest [will I pay|do you add] if I spread {amount} over [six|twelve|eighteen] months?
I [can't make|am going to miss] this month's instalment, [can we agree a smaller one|could I pay half now]?
What would it cost to [settle|clear] my [whole plan|credit balance] early?
I've lost my job and [can't keep up|am struggling] with the monthly repayments.
You [marked|reported] a missed repayment on my credit file, but I [paid every month|was never late].
Can I change the day my monthly instalment goes out to [the 1st|after payday|the {nth}]?
Is there a [fee|penalty] for [paying off|clearing] the finance on the {large} ahead of time?
Please close my credit account, the balance is [now zero|paid off].
[Does|Would] applying for pay-later leave a mark on my credit [score|file]?
How much have I still got to pay on the plan for the {large}, it [began|started] in {month}?
My limit was cut [to {limit}|by half] without [warning|any letter], why?
Can my [partner|wife] be added to my credit agreement [as joint holder|as well]?
I got a default notice about the {large} plan on {day} and want to [arrange|sort out] repayments.
Is the interest-free [offer|deal] [still on|open] for someone who already has a plan with you?
I signed the finance agreement [yesterday|on {day}], can I still [back out|withdraw]?
# core held-out
Money is tight [since the baby came|this winter], could we stretch the instalments over a longer [term|time]?
Am I eligible for pay-later if I [rent|am self-employed|only work part time]?
What [rate|APR] would I get on a credit line of {limit}?
I want to be free of what I owe you before {month}, what's the lump sum?
My mortgage lender says I look overdue on your plan, [yet I never skipped a month|please correct it].
# aside
I've no question about any invoice.
I don't need to send anything back.
I'm logged in on the app but it doesn't [say|show this].
Delivery was never a problem with you.
I've ordered from your catalogue [for years|since I was young].
My card is fine, this is not about a declined payment.
The lady on the orders line couldn't say.
# aside held-out
The parcels always come on the dot, so well done there.
The repair man you sent last year told me to write in.
""",
    "delivery": """
# core
My parcel was due [on {day}|yesterday] and [still hasn't come|nothing has turned up].
Tracking has said [out for delivery|at the depot] for {days}, [where is it|what's going on]?
The driver [left|dumped] the {item} [in the rain|by the bins] [without ringing|and drove off].
Can someone bring the {large} after {time} since I'm at work [until then|all day]?
It says delivered and signed for by {name}, but nobody [of that name lives here|here has it].
I need to [move|change] my delivery slot from {day} to {day2}.
Your van [scraped|knocked over] my [gate|wall|fence] while [turning|reversing] on {day}.
I paid for [next-day|Saturday] service and the parcel [took|needed] {days}.
Will the [crew|drivers] carry the {large} up to the [third|second] floor, there's no lift?
Only one of the [two|three] boxes [came|was dropped off], the driver had no idea about the rest.
Your card says my parcel is with [a neighbour|number {num}], but they [don't have it|know nothing].
You took my order, but is {place} [really inside|in] your delivery area?
I've moved, can the parcel that's already on the van go to {place} instead?
I waited in [all day|from eight to six] on {day} and [no one|nobody] came.
The note says sorry we missed you but [I was in|we were home] the whole [time|afternoon].
Please tell the driver to [use the side gate|ring the top bell], the [doorbell is broken|front door sticks].
Can I [collect|pick up] my parcel from the {place} depot [rather than wait in|myself]?
The van [went to|left it at] number {num}, we're number {num2}.
Will the old {large} be taken away when the new one is [brought|dropped off]?
# core held-out
Any idea [roughly when|what time] the van [will reach|gets to] us in {place} on {day}?
According to your map my parcel has been going round {place} since {day}.
The photo the driver took shows a [blue|red] door, ours is [white|green], so who has my {item}?
[Two lads|The men] refused to bring the {large} past the [front step|hallway], I'd booked upstairs.
We'll be [away|abroad] till {day2}, so please hold our parcel [at the depot|back] until we're home.
# aside
I've already been charged for it.
I don't want to cancel the order or return anything.
I placed the order [weeks ago|in {month}].
The website is no help at all.
It was bought on my credit account, if that matters.
The invoice was in my inbox within minutes.
I rang the orders line and they passed me on.
# aside held-out
No problem with the price or the payment.
The app and my password work, before you ask.
""",
    "returns": """
# core
I'd like to [send back|return] the {item}, [it's too big for the room|the colour isn't right].
How [many days|long] do I have to [return|send back] something [unused|unopened]?
Please [email|send] me a [return label|returns label] for the {item}.
You sent a {item} instead of the {item2} I asked for, [how do I swap it|I want to exchange it].
Can I [exchange|swap] the {item} [that came on {day}|I got last week] for [a smaller one|a {colour} one]?
I posted the {item} back {weeks} ago, has [it|my return] [reached|arrived at] your warehouse?
Nobody came to [collect|pick up] the {item} I'm sending back.
The box [is gone|was thrown away], can the {item} still [go back|be returned]?
Do I have to pay [the|for] postage if I [send back|return] an unwanted {item}?
The {machine} was [cracked|dented] when unpacked, please [take it back|collect it] and send me another.
I changed my mind about the {item} I got, it's still [sealed|wrapped], what do I do [now|next]?
Is there a [shop|drop-off point] near {place} where I can hand [in a return|back an unwanted {item}]?
The {item} was a gift from {name} but I already [own|have] one, can I swap it?
You refused my return as it was [one day|two days] late, [but I was in hospital|please think again].
I put the wrong [slip|label] in the parcel I [sent back|returned], will you [know it's mine|match it]?
The {item} you sent looks nothing like [the photo|your catalogue], I don't want to keep it.
Can I keep one {item} and send the other back?
What's the address for sending back this {item}, [the label has smudged|I've lost the slip]?
# core held-out
The {item} doesn't suit the [room|house] after all, could you [collect it|have it fetched]?
Now it's unpacked I see I chose the wrong [size|shade], my fault, can it be [swapped|changed]?
[My mother|My aunt] bought me the same {item}, so the one from you has to go back.
I've [repacked|boxed up] the {item} [with all the bits|as it came], now who do I [hand|give] it to?
The {item} feels [cheaper|flimsier] than I hoped, I'd rather have [my money|my cash] than keep it.
# aside
Delivery was quick, [no complaint there|to be fair].
I don't need anything repaired.
I paid with [my card|a gift card].
The order was placed online by [my wife|my son].
I bought it on my credit account.
The website sent me round in circles.
I'm not after a discount.
# aside held-out
The driver was lovely, by the way.
I've kept the invoice in case you need it.
""",
    "repairs": """
# core
My {machine} [stopped working|died] after {months}, it's still [under guarantee|in warranty].
The {machine} [makes a grinding noise|smells of burning|trips the fuse] [every time|whenever] I use it.
Can an engineer come and look at the {big} [on {day}|this week|soon]?
Where can I [get|buy] a spare [part|plug|switch] for my old {machine}?
The display on my {big} shows error [E4|F07|E21], what does [that|it] mean?
The engineer [came|was here] on {day} but the {big} [is still broken|does the same thing again].
How long is the {machine} guaranteed for, mine has begun to [smoke|rattle|buzz]?
A [hinge|screw|joint] on the {furniture} [snapped|came off] after {months}, can it be [fixed|mended]?
My {machine} won't [switch on|work|turn on] any more.
Is it worth [fixing|mending] a {machine} that's out of guarantee, and what do you charge?
Your workshop has had my {machine} for {weeks}, when is it ready?
I've lost the [manual|instructions] and the {machine} keeps [beeping|flashing], how do I reset it?
The {machine} gets so hot that the plug [melted|is scorched], is it safe?
One [side|corner] of the {furniture} is splitting after {months}, the guarantee should cover [it|that].
I [missed|can't make] the engineer's visit for the {big}, [can we rebook|could it be {day}]?
Do I need the [receipt|invoice] to get my {machine} [mended|repaired] under the guarantee?
The battery in my cordless vacuum [lasts five minutes|won't hold a charge], can it be replaced?
I want to register the {machine} for its [five|ten] year guarantee.
# core held-out
Water all over the [kitchen|utility room] floor again, it's coming from under the {wet}.
[Sparks|Smoke] came out of the {machine} this morning, [we've unplugged it|it's off at the wall now].
My {machine} has [packed up|given up], who can [have a look at|mend] it?
A [knob|button|catch] fell off the {machine}, [do you stock the part|can I buy just that part]?
The engineer who serviced the {big} forgot to [put the back panel on|fit the new seal].
# aside
It was delivered in {month}.
I don't want my money back.
It's fully paid for.
I'm not looking to order a new one.
I still have the invoice.
I'd rather keep it than send it back for good.
Your website only talks about returns.
# aside held-out
We're still paying it off in instalments.
My sister ordered the same one and the van brought both.
""",
    "orders": """
# core
I need to cancel order {order} before it [ships|is sent out|leaves the warehouse].
Can I add a {item} to the order I [placed|made] [this morning|an hour ago]?
Is the {item} [back in stock|available again] [soon|in {colour}]?
I'd like to order a {item} from the catalogue, but by [phone|post], please.
I never got any confirmation of what I ordered [on {day}|last night], did it go through?
Please change the colour on order {order} to {colour}, it hasn't been [packed|sent] yet.
What [size|width] is the {item} on page {num} of [the|your] catalogue?
I ordered the {item} twice by mistake, please [cancel|drop] one before [it's|they're] packed.
How far down the waiting list am I for the {item}?
I picked the wrong size when ordering [just now|a minute ago], please make it the [large|small].
Before I buy the {furniture}, does it come [ready built|in one piece|with screws]?
Can you [reserve|hold] a {item} for me until [payday|{day}], then I'll buy it?
How do I fill in your order form if I want the {item} in two [colours|sizes]?
Is it cheaper if [our school|our club|a guest house] [buys|orders] [twenty|thirty] of the {item} at once?
You wrote that the {item} is sold out, please [give me|put me down for] the {item2} instead.
My order still says [awaiting approval|not yet packed] after {days}, is something missing?
Can you take the {item} off [order {order}|my new order] but leave the rest as it is?
Please send me your [new|spring|winter] catalogue, I'd like to choose a {item}.
Do you have the {item} in {colour}?
# core held-out
Please scrap the order I made [this morning|last night], my [husband|wife] already bought a {item} in town.
Could you double the quantity on {order} while it's still [being picked|in the queue]?
Will you be getting any more of the {colour} {item}, or is it [gone for good|sold out for ever]?
[I want|We'd like] to buy a {item} but [don't have|never use] internet, who takes [the details|my request]?
I can't decide between the {item} and the {item2} in your catalogue, which is [bigger|easier to clean]?
# aside
I'll pay by card[, not on credit|].
I know delivery takes a few days.
There's no rush with the delivery.
I've never returned a thing.
I've read the returns policy already.
My credit limit is high enough, I checked.
My last parcel from you came quickly.
# aside held-out
The bill can go to my home address.
You repaired my old {machine} in {month}, very happy.
""",
    "website": """
# core
I can't log in, it says my password is wrong though I [just changed it|know it's right].
The password reset email never [comes|arrives].
Your app [crashes|closes] [as soon as|every time] I open [my basket|my orders|the returns page].
The checkout page [freezes|hangs] when I press [pay now|the buy button].
I get a blank page when I [click on|try to open] the [delivery tracker|repairs form].
How do I change the email address I [sign in|log in] with?
My online account is locked after too many [tries|attempts].
The [search box|filter] on your site [finds nothing|does nothing] when I type {item}.
The code you text me for signing in [doesn't arrive|never comes] on my phone.
Your site [won't load|looks broken] in [Firefox|Safari|Chrome] since {day}.
I have two logins, can they be [merged|joined] into one?
The [download|print] button for my invoices does nothing [at all|when I press it].
Pictures of the {item} won't [open|load] on my [tablet|phone].
The instalment calculator on your site [shows an error|is stuck on zero].
It [logs|signs] me out every time I put [something|a {item}] in the basket.
I tried to register online and it says my email is already [in use|taken].
The address page [won't accept|rejects] my postcode so I can't get past that [screen|step].
Can I use your app on [an old iPad|an older phone]?
The letters are too small on your new [site|app], is there a setting for [that|bigger type]?
# core held-out
It keeps telling me 'session expired' [halfway through|before I can finish] typing my [details|address].
I press the buy button and the little [wheel|circle] on the screen just spins [forever|and spins].
Since [the redesign|you changed everything] I can't get into my profile, it doesn't know my username.
I get error [500|403|404] whenever I [click on|open] my past purchases.
My [phone|tablet] says your app isn't compatible since {day}, do I need another version?
# aside
I wanted to order a {item}.
I only wanted to [pay my bill|see my invoice].
I was trying to print a return label.
I need to check when my parcel comes.
I was going to pay my instalment.
There's nothing wrong with my card.
The delivery man said to tell you.
# aside held-out
All I wanted was to find out where the driver is.
I meant to book an engineer for my {machine}.
""",
    "privacy": """
# core
Please delete [all|everything] you [hold|store] about me.
I want a copy of [all|the] personal data you have on me.
Stop [selling|passing] my [address|details] to other companies.
Who did you give my phone number to, I now get calls from [strangers|a loan firm|an insurance firm].
I got an email meant for [another customer|someone else] with their [name and address|whole order] in it.
I [withdraw|take back] my consent to [profiling|being tracked] on your site.
How long do you keep my [bank details|address|call recordings] after I [close|stop using] my account?
Was my [data|information] part of the [leak|breach] in the news?
I [never|didn't] agree to marketing [calls|texts], where did you get my number?
Under data protection law I ask you to erase my [purchase history|customer record].
My late [husband|father] is still in your [files|records], please remove his [details|data].
Why does your app need access to my [contacts|location|microphone]?
A stranger could see my [invoices|orders] and home address when he logged in to his account.
Which other firms [see|receive] my data when I buy on credit?
Please take down the photo of my [son|children] from the review I [sent|wrote], I don't consent to it.
Your driver [photographed|filmed] my [hallway|children] as proof, I want the picture [deleted|erased].
I asked for my data file over a month ago, the law gives you [thirty days|one month].
Who is your data protection officer?
Is my call to the [repair|order] line recorded, and may I [object|refuse]?
# core held-out
I'd like every trace of me wiped from your [systems|files], [name|email], phone number and all.
What exactly do you know about me, and [who else gets my details|where did you get it from]?
Somebody else's [statement|delivery note] was in my envelope, with [her|his] full name and address showing.
Since I bought the {item}, [strange firms|advertisers] know about it, who did you tell?
[Take|Remove] my number from whatever list you [rent|hand] out to other companies.
# aside
I don't have an open order with you.
I paid my last bill in {month}.
The {item} I bought was fine.
I had a parcel from you in {month}.
I used to have a credit account with you.
I still want to order from you.
I can log in, that's not the problem.
# aside held-out
The last thing I bought went back in {month}.
My instalments are all paid off.
""",
    "careers": """
# core
Are you [hiring|looking for] [drivers|packers|clerks|engineers] in {place}?
I applied for the {job} post {weeks} ago and have heard nothing.
Where do I send my CV for the {job} [position|job]?
Can I do [work experience|an internship] in your [returns department|website team|billing office]?
Is the {job} job [full time|part time], and what does it pay?
I can't make my interview on {day}, could we move it to {day2}?
Do you take on students for [the summer|Christmas] in the [warehouse|returns hall]?
I'd like to work for you as a delivery driver, I have a clean licence.
Do I need [a diploma|experience] to become a repair engineer with you?
You interviewed me on {day}, when will you decide?
Is the {job} vacancy in {place} still open?
I [left|stopped working for] your company in {month} and need a [reference|work certificate].
Can the {job} role be done from home?
Do you offer apprenticeships [for school leavers|in your {place} workshop]?
What should I bring to the interview for {job}?
My [daughter|son] is seventeen, may [we|I] ask about Saturday shifts at the depot?
I sent the wrong CV with my application, can I [swap|replace] it?
Why was my application for {job} [rejected|turned down], I have ten years' experience.
The job advert mentions [night|early] shifts, how many a week are there?
# core held-out
I've [driven lorries|mended washing machines|sold kitchens] for [nine|twenty] years and want to work for you.
Any job openings for [someone good with figures|a friendly voice on the phone|a web developer]?
I've just left school and I'm looking for a start, do you train people [up|from scratch]?
I met your manager on {day} about the {job} post, am I still in the running?
What are the hours and pay like for people [packing parcels|handling returns|answering billing calls]?
# aside
I've been a customer for years.
I ordered a {item} from you only last week.
I drive a van at the moment.
We own a {machine} from you.
I've worked in [billing|a credit office|a returns warehouse] before.
I couldn't find it on your website.
I live close to the depot.
# aside held-out
I hear your parcels crew is a friendly bunch.
My brother delivers for you.
""",
}
