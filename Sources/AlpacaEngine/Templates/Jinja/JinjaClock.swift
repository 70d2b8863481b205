/// The time that `strftime_now` gives. The caller sets it, so that a rendering can be repeated.
package struct JinjaClock: Sendable {
    package var year: Int
    /// 1 ... 12.
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int
    package var microsecond: Int

    package init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, microsecond: Int = 0) {
        self.year = min(max(year, 1), 9999)
        self.month = min(max(month, 1), 12)
        self.day = min(max(day, 1), 31)
        self.hour = min(max(hour, 0), 23)
        self.minute = min(max(minute, 0), 59)
        self.second = min(max(second, 0), 59)
        self.microsecond = min(max(microsecond, 0), 999_999)
    }

    private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
    ]

    private var isLeapYear: Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    /// 0 is the first of January.
    private var dayOfYear: Int {
        let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month - 1]
        return before + day - 1 + (month > 2 && isLeapYear ? 1 : 0)
    }

    /// 0 is Sunday (Gauss).
    private var weekday: Int {
        let past = year - 1
        return (1 + past * 365 + past / 4 - past / 100 + past / 400 + dayOfYear) % 7
    }

    /// As Python's `datetime.strftime` without a time zone and in the C locale. What follows an unknown `%` is left as it stands.
    func text(_ format: JinjaText) -> JinjaText {
        var result = JinjaText()
        var at = 0
        while at < format.count {
            let scalar = format.scalars[at]
            let isInput = format.isInput(at: at)
            at += 1
            guard scalar == "%", at < format.count else {
                result.append(scalar, isInput: isInput)
                continue
            }
            var padding: Unicode.Scalar?
            if "-_0^".unicodeScalars.contains(format.scalars[at]), at + 1 < format.count {
                padding = format.scalars[at]
                at += 1
            }
            let letter = format.scalars[at]
            at += 1
            if let value = field(letter, padding) {
                result.append(JinjaText(Array(value.unicodeScalars), isInput: isInput))
            } else {
                result.append("%", isInput: isInput)
                if let padding { result.append(padding, isInput: isInput) }
                result.append(letter, isInput: isInput)
            }
        }
        return result
    }

    private func field(_ letter: Unicode.Scalar, _ padding: Unicode.Scalar?) -> String? {
        func number(_ value: Int, _ width: Int, fill: Unicode.Scalar = "0") -> String {
            let digits = String(value)
            let fill: Unicode.Scalar? =
                switch padding {
                case "-": nil
                case "_": " "
                case "0": "0"
                default: fill
                }
            guard let fill, digits.count < width else { return digits }
            return String(repeating: String(Character(fill)), count: width - digits.count) + digits
        }
        func word(_ text: String) -> String { padding == "^" ? text.uppercased() : text }
        let twelve = hour % 12 == 0 ? 12 : hour % 12
        switch letter {
        case "a": return word(String(Self.days[weekday].prefix(3)))
        case "A": return word(Self.days[weekday])
        case "b", "h": return word(String(Self.months[month - 1].prefix(3)))
        case "B": return word(Self.months[month - 1])
        case "C": return number(year / 100, 2)
        case "d": return number(day, 2)
        case "e": return number(day, 2, fill: " ")
        case "f": return number(microsecond, 6)
        case "H": return number(hour, 2)
        case "I": return number(twelve, 2)
        case "j": return number(dayOfYear + 1, 3)
        case "k": return number(hour, 2, fill: " ")
        case "l": return number(twelve, 2, fill: " ")
        case "m": return number(month, 2)
        case "M": return number(minute, 2)
        case "n": return "\n"
        case "p": return hour < 12 ? "AM" : "PM"
        case "P": return hour < 12 ? "am" : "pm"
        case "S": return number(second, 2)
        case "t": return "\t"
        case "u": return String(weekday == 0 ? 7 : weekday)
        case "w": return String(weekday)
        case "U": return number((dayOfYear + 7 - weekday) / 7, 2)
        case "W": return number((dayOfYear + 7 - (weekday + 6) % 7) / 7, 2)
        case "y": return number(year % 100, 2)
        case "Y": return number(year, 1)
        case "z", "Z": return ""
        case "%": return "%"
        case "D", "x": return text("%m/%d/%y").string
        case "F": return text("%Y-%m-%d").string
        case "R": return text("%H:%M").string
        case "T", "X": return text("%H:%M:%S").string
        case "r": return text("%I:%M:%S %p").string
        case "c": return text("%a %b %e %H:%M:%S %Y").string
        default: return nil
        }
    }
}
